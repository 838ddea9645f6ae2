/** Requests to the API: conditional GETs, problems (RFC 9457) and what the page knows about the connection. */
import { signal } from "@preact/signals";

export interface FieldError {
  pointer: string;
  detail: string;
}

interface ProblemBody {
  title?: string;
  status?: number;
  detail?: string;
  code?: string;
  errors?: FieldError[];
  request_id?: string;
}

/** What went wrong with a request. `status` is 0 when no answer came at all. */
export class Problem extends Error {
  readonly status: number;
  readonly code: string;
  readonly title: string;
  readonly errors: FieldError[];
  readonly requestId: string | null;

  constructor(status: number, body: ProblemBody) {
    super(body.detail ?? body.title ?? `The service answered ${status}.`);
    this.status = status;
    this.code = body.code ?? (status === 0 ? "unreachable" : "internal");
    this.title = body.title ?? "Something went wrong";
    this.errors = body.errors ?? [];
    this.requestId = body.request_id ?? null;
  }

  /** True when waiting helps: nobody answered, or the service said it is not able to right now. */
  get passing(): boolean {
    return this.status === 0 || this.status === 502 || this.status === 503 || this.status === 504;
  }
}

/** `lost`: no answer; `busy`: an answer that says "not now". */
export const connection = signal<"ok" | "lost" | "busy">("ok");
/** Grows when the service came back or somebody signed in: whoever shows data asks again at once. */
export const revived = signal(0);
export const signedOut = signal(false);

/** Server time minus browser time in milliseconds, so that "2 s ago" is true on a machine with a wrong clock. */
let skew = 0;
export const serverNow = (): number => Date.now() + skew;

function noteClock(headers: Headers): void {
  const sent = Date.parse(headers.get("date") ?? "");
  if (!Number.isNaN(sent)) {
    // The Date header has whole seconds and travels; a small difference is not a wrong clock.
    const off = sent + 500 - Date.now();
    skew = Math.abs(off) > 3000 ? off : 0;
  }
}

let pinging = false;

async function ping(): Promise<void> {
  if (pinging) return;
  pinging = true;
  while (connection.value !== "ok") {
    await new Promise((resume) => setTimeout(resume, 1500));
    try {
      const answer = await fetch(connection.value === "lost" ? "/livez" : "/readyz", { cache: "no-store" });
      if (answer.ok) found();
    } catch {
      // Still away; the loop asks again.
    }
  }
  pinging = false;
}

function found(): void {
  if (connection.value === "ok") return;
  connection.value = "ok";
  revived.value += 1;
}

/** Say that the service is away; the page then asks until it is back. */
export function lost(how: "lost" | "busy"): void {
  connection.value = how;
  void ping();
}

export interface Answer<T> {
  status: number;
  headers: Headers;
  body: T;
}

export interface Ask {
  method?: string;
  json?: unknown;
  body?: Blob;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

async function send(path: string, ask: Ask): Promise<Response> {
  const headers: Record<string, string> = { accept: "application/json", ...ask.headers };
  const init: RequestInit = { method: ask.method ?? "GET", headers, cache: "no-store", credentials: "same-origin" };
  if (ask.signal) init.signal = ask.signal;
  if (ask.json !== undefined) {
    headers["content-type"] = "application/json";
    init.body = JSON.stringify(ask.json);
  } else if (ask.body) {
    headers["content-type"] = ask.body.type;
    init.body = ask.body;
  }
  try {
    return await fetch(path, init);
  } catch (error) {
    if (ask.signal?.aborted) throw error;
    lost("lost");
    throw new Problem(0, { title: "No answer", detail: "The service does not answer. It may be restarting." });
  }
}

async function problemOf(answer: Response): Promise<Problem> {
  let body: ProblemBody = {};
  if (answer.headers.get("content-type")?.includes("json")) {
    body = (await answer.json().catch(() => ({}))) as ProblemBody;
  }
  return new Problem(answer.status, body);
}

/** A request whose answer comes bit by bit. Throws a `Problem` for every answer that is not 2xx. */
export async function open(path: string, ask: Ask): Promise<ReadableStream<Uint8Array>> {
  const answer = await send(path, ask);
  if (!answer.ok) throw await refused(answer, path);
  found();
  return answer.body!;
}

/** The service answers everything else as ever. */
const ELSE_FINE = new Set(["overloaded", "disk_full"]);

async function refused(answer: Response, path: string): Promise<Problem> {
  const problem = await problemOf(answer);
  if (problem.status === 401 && path !== "/v1/session") signedOut.value = true;
  if (problem.passing && !ELSE_FINE.has(problem.code)) lost("busy");
  return problem;
}

/** One request. Throws a `Problem` for every answer that is not 2xx or 304. */
export async function call<T>(path: string, ask: Ask = {}): Promise<Answer<T | null>> {
  const answer = await send(path, ask);
  noteClock(answer.headers);
  if (answer.ok || answer.status === 304) {
    found();
    const empty = answer.status === 204 || answer.status === 304;
    return { status: answer.status, headers: answer.headers, body: empty ? null : ((await answer.json()) as T) };
  }
  throw await refused(answer, path);
}

/** The last answers that came with an ETag, newest last. */
const remembered = new Map<string, { etag: string; body: unknown }>();
const MOST_REMEMBERED = 64;

/** GET that sends If-None-Match and gives back the same object when nothing has changed. */
export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  const known = remembered.get(path);
  const ask: Ask = signal ? { signal } : {};
  if (known) ask.headers = { "if-none-match": known.etag };
  const answer = await call<T>(path, ask);
  if (answer.status === 304 && known) return known.body as T;
  const etag = answer.headers.get("etag");
  remembered.delete(path);
  // A weak tag leaves out what is counted, and that is to be shown as it is now.
  if (etag && !etag.startsWith("W/")) {
    remembered.set(path, { etag, body: answer.body });
    const oldest = remembered.keys().next().value;
    if (remembered.size > MOST_REMEMBERED && oldest !== undefined) remembered.delete(oldest);
  }
  return answer.body as T;
}

/** A new sign-in must not see what the one before was told. */
export function forget(): void {
  remembered.clear();
}

export function asProblem(error: unknown): Problem {
  return error instanceof Problem ? error : new Problem(0, { code: "page", title: "Error in this page", detail: String(error) });
}

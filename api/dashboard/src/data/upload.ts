/** The upload of this page: what was chosen, how much of it is sent, and the job that checks it. It goes on in every room. */
import { signal } from "@preact/signals";
import { lost, Problem, signedOut } from "../http";
import type { Job } from "../wire";
import { tar, type Named } from "./tar";

/** Everything as typed; empty means "found out from the files". */
export interface Draft {
  name: string;
  kind: string;
  task: string;
  target: string;
  missing: string;
  size: string;
  channels: string;
  label: string;
  text: string;
  pattern: string;
  test: string;
  source: string;
}

export const blank: Draft = { name: "", kind: "", task: "", target: "", missing: "", size: "", channels: "", label: "", text: "", pattern: "", test: "", source: "" };

export const chosen = signal<Named[]>([]);
export const draft = signal<Draft>(blank);

export interface Sending {
  name: string;
  sent: number;
  size: number;
}
export const sending = signal<Sending | null>(null);
/** The job that checks what was sent last, until it is put away. */
export const accepted = signal<string | null>(null);
export const refused = signal<Problem | null>(null);

/** What the query of the upload says, in the words of the service. */
function query(filename: string, options: Draft): URLSearchParams {
  const { name: _, size, ...plain } = options;
  const asked = new URLSearchParams({ filename });
  for (const [key, value] of Object.entries(plain)) if (value.trim()) asked.set(key, value.trim());
  const [height, width] = size.split(/[\s,x×]+/).filter(Boolean);
  if (height) {
    asked.set("height", height);
    asked.set("width", width ?? height);
  }
  return asked;
}

/** Where each field of the form ends up: an error's pointer leads back to it. */
export function fieldOf(pointer: string): keyof Draft | null {
  if (pointer === "#/path/dataset") return "name";
  const option = pointer.replace(/^#\/query\//, "");
  if (option === "height" || option === "width") return "size";
  return option in blank && option !== "name" ? (option as keyof Draft) : null;
}

const warn = (event: BeforeUnloadEvent): void => event.preventDefault();
let request: XMLHttpRequest | null = null;

/** Send what was chosen. `fetch` cannot say how much it has sent, so this is an XMLHttpRequest. */
export function send(): void {
  const [first] = chosen.value;
  if (!first || request) return;
  const single = chosen.value.length === 1 && !first.name.includes("/");
  const body = single ? first.file : tar(chosen.value);
  const { name } = draft.value;
  const mine = new XMLHttpRequest();
  request = mine;
  refused.value = null;
  accepted.value = null;
  sending.value = { name, sent: 0, size: body.size };
  mine.open("PUT", `/v1/datasets/${encodeURIComponent(name)}?${query(single ? first.name : "upload.tar", draft.value)}`);
  mine.setRequestHeader("content-type", "application/octet-stream");
  mine.upload.onprogress = ({ loaded }) => (sending.value = { name, sent: Math.min(loaded, body.size), size: body.size });
  mine.onload = () => {
    if (mine.status === 202) accepted.value = (JSON.parse(mine.responseText) as Job).id;
    else refused.value = problemOf(mine);
    if (mine.status === 401) signedOut.value = true;
  };
  mine.onerror = () => {
    lost("lost");
    const detail = "The upload broke off before its end. A file may have changed since it was chosen, or the service may be restarting.";
    refused.value = new Problem(0, { title: "Not uploaded", detail });
  };
  mine.onloadend = () => {
    request = null;
    sending.value = null;
    removeEventListener("beforeunload", warn);
  };
  addEventListener("beforeunload", warn); // leaving the page would break it off
  mine.send(body);
}

export function stop(): void {
  request?.abort();
}

/** Ready for other files. */
export function clear(): void {
  chosen.value = [];
  draft.value = blank;
  accepted.value = null;
  refused.value = null;
}

function problemOf(answer: XMLHttpRequest): Problem {
  try {
    return new Problem(answer.status, JSON.parse(answer.responseText));
  } catch {
    return new Problem(answer.status, {}); // not from the service itself: a proxy's page, perhaps
  }
}

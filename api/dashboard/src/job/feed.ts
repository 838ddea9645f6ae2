/**
 * What happens in one job, live: its curves and its events.
 *
 * History comes first (`/metrics` says up to which `seq` it is complete), then the stream goes on after that very `seq`,
 * so nothing is missed and nothing is taken twice. Every message carries its `seq`; what is not newer is dropped.
 */
import { signal } from "@preact/signals";
import { asProblem, call, lost } from "../http";
import { visible } from "../poll";
import type { JobEvent, List, Metrics, Point } from "../wire";
import { Curves } from "./curves";

/** Asked of the service for each series; more points than pixels help nobody. */
const HISTORY = 2000;
/** Held live in all series before the history is asked for again, thinned out by the service. */
const MOST_HELD = 40_000;
const EVENTS = 100;
const REDRAW_MS = 150;
const RETRY_MS = [500, 1000, 2000, 4000];

export class Feed {
  readonly curves = new Curves();
  readonly events = new Map<number, JobEvent>();
  /** Grows whenever there is something new to draw. */
  readonly version = signal(0);
  readonly state = signal<"loading" | "live" | "reconnecting" | "ended">("loading");
  /** Cursor to events before the oldest held, or null. */
  readonly earlier = signal<string | null>(null);

  private seq = 0;
  /** The history up to `seq` is here: the stream may be opened, now or when somebody looks. */
  private complete = false;
  private source: EventSource | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private drawing: ReturnType<typeof setTimeout> | undefined;
  private failures = 0;
  private abort = new AbortController();
  private unwatch: () => void;

  /** `happened` is called for every event that is not a log line: the job itself has changed. */
  constructor(
    private readonly path: string,
    private readonly happened: () => void,
  ) {
    void this.load();
    // Browsers hold six connections a host: a page nobody looks at gives its own back.
    this.unwatch = visible.subscribe((seen) => {
      if (!this.complete || this.state.peek() === "ended") return;
      if (seen && !this.source) this.open();
      else if (!seen) this.hangUp();
    });
  }

  close(): void {
    this.abort.abort();
    this.unwatch();
    this.hangUp();
    clearTimeout(this.drawing);
  }

  async loadEarlier(): Promise<void> {
    const cursor = this.earlier.peek();
    if (!cursor) return;
    await this.readEvents(`&after=${encodeURIComponent(cursor)}`);
    this.version.value += 1;
  }

  private async load(): Promise<void> {
    try {
      const { signal } = this.abort;
      const history = await call<Metrics>(`${this.path}/metrics?max_points=${HISTORY}`, { signal });
      if (!history.body) return;
      this.curves.replace(history.body);
      this.seq = history.body.last_seq;
      await this.readEvents("");
      this.failures = 0;
      this.complete = true;
      this.version.value += 1;
      this.open();
    } catch (error) {
      if (this.abort.signal.aborted) return;
      if (asProblem(error).status === 404) this.state.value = "ended";
      else this.retry(() => void this.load());
    }
  }

  private async readEvents(after: string): Promise<void> {
    const { signal } = this.abort;
    const answer = await call<List<JobEvent>>(`${this.path}/events?order=desc&limit=${EVENTS}${after}`, { signal });
    for (const event of answer.body?.data ?? []) this.events.set(event.seq, event);
    this.earlier.value = answer.body?.next_cursor ?? null;
  }

  private open(): void {
    clearTimeout(this.timer);
    if (this.abort.signal.aborted || !visible.peek()) return;
    const source = new EventSource(`${this.path}/stream?after=${this.seq}`);
    this.source = source;
    source.onopen = () => {
      this.failures = 0;
      this.state.value = "live";
    };
    source.addEventListener("event", (message) => this.take(JSON.parse(message.data) as JobEvent));
    source.addEventListener("metrics", (message) => this.measure(JSON.parse(message.data) as { seq: number; points: Point[] }));
    source.addEventListener("end", () => this.end());
    // The browser would ask again by itself, but not after every kind of failure, and not with our own `after`.
    source.onerror = () => {
      this.hangUp();
      void this.whyBroken();
    };
  }

  /** An ended job answers 204 to a stream that has everything; anything else is worth another try. */
  private async whyBroken(): Promise<void> {
    try {
      const job = await call<{ status: string; last_seq: number }>(this.path, { signal: this.abort.signal });
      const over = job.body && ["succeeded", "failed", "cancelled"].includes(job.body.status);
      if (over && job.body!.last_seq <= this.seq) this.end();
      else this.retry(() => this.open());
    } catch (error) {
      if (this.abort.signal.aborted) return;
      if (asProblem(error).status === 404) this.end();
      else this.retry(() => this.open());
    }
  }

  private retry(again: () => void): void {
    const wait = RETRY_MS[Math.min(this.failures, RETRY_MS.length - 1)]!;
    this.failures += 1;
    if (this.failures > 3) lost("lost");
    if (this.state.peek() !== "loading") this.state.value = "reconnecting";
    clearTimeout(this.timer);
    this.timer = setTimeout(again, wait);
  }

  private take(event: JobEvent): void {
    if (event.seq > this.seq) {
      this.seq = event.seq;
      const step = event.data["step"];
      if (event.type === "rewound" && typeof step === "number") this.curves.rewind(step);
      if (event.type !== "log") this.happened();
    }
    this.events.set(event.seq, event);
    this.draw();
  }

  private measure({ seq, points }: { seq: number; points: Point[] }): void {
    if (seq <= this.seq) return;
    this.seq = seq;
    this.curves.add(points);
    if (this.curves.points > MOST_HELD) {
      this.hangUp();
      void this.load();
    } else this.draw();
  }

  private end(): void {
    this.hangUp();
    this.state.value = "ended";
    this.version.value += 1;
    this.happened();
  }

  private hangUp(): void {
    clearTimeout(this.timer);
    this.source?.close();
    this.source = null;
  }

  private draw(): void {
    this.drawing ??= setTimeout(() => {
      this.drawing = undefined;
      this.version.value += 1;
    }, REDRAW_MS);
  }
}

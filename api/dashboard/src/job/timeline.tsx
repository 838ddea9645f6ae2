import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { count, plural } from "../number";
import { Clock } from "../time";
import type { JobEvent } from "../wire";
import type { Feed } from "./feed";

interface Row {
  event: JobEvent;
  /** How many events of the same kind in a row this line stands for. */
  times: number;
  /** The furthest step of them: the best checkpoint, which is stored last, may be an early one. */
  furthest: number;
}

/** Newest first; a run of checkpoints is one line, or a long training would bury everything else. */
function rows(events: Iterable<JobEvent>): Row[] {
  const sorted = [...events].filter((event) => event.type !== "log").sort((a, b) => b.seq - a.seq);
  const made: Row[] = [];
  for (const event of sorted) {
    const before = made.at(-1);
    const step = Number(event.data["step"]);
    if (event.type === "checkpoint" && before?.event.type === "checkpoint") {
      before.times += 1;
      before.furthest = Math.max(before.furthest, step);
    } else made.push({ event, times: 1, furthest: step });
  }
  return made;
}

function words({ event, times, furthest }: Row): string {
  if (times > 1) return `${plural(times, "checkpoint")}, the last at step ${count(furthest)}`;
  return event.message || event.type.replaceAll("_", " ");
}

export function Timeline({ feed }: { feed: Feed }) {
  feed.version.value; // read: drawn again when something happened
  const busy = useSignal(false);
  const earlier = async (): Promise<void> => {
    busy.value = true;
    await feed.loadEarlier().catch(() => undefined); // The banner says that the service is away; the button stays.
    busy.value = false;
  };
  return (
    <section class="panel" aria-labelledby="timeline">
      <h2 id="timeline">What happened</h2>
      <ol class="timeline" reversed>
        {rows(feed.events.values()).map((row) => (
          <li key={row.event.seq} data-level={row.event.level} data-type={row.event.type}>
            <Clock at={row.event.created_at} />
            <span class="said">
              {words(row)}
              {row.event.attempt > 1 ? <span class="muted small"> · attempt {row.event.attempt}</span> : null}
            </span>
          </li>
        ))}
      </ol>
      {feed.earlier.value ? (
        <button type="button" disabled={busy.value} onClick={() => void earlier()}>
          {busy.value ? "Loading …" : "Earlier"}
        </button>
      ) : null}
    </section>
  );
}

/** What the training process printed; stays at the end while the reader is there. */
export function LogLines({ feed }: { feed: Feed }) {
  feed.version.value; // read: drawn again when a line arrived
  const box = useRef<HTMLPreElement>(null);
  const follows = useRef(true);
  const lines = [...feed.events.values()].filter((event) => event.type === "log").sort((a, b) => a.seq - b.seq);
  useEffect(() => {
    if (box.current && follows.current) box.current.scrollTop = box.current.scrollHeight;
  }, [lines.length]);
  const scrolled = (): void => {
    const element = box.current;
    if (element) follows.current = element.scrollHeight - element.scrollTop - element.clientHeight < 24;
  };
  return (
    <section class="panel" aria-labelledby="log">
      <h2 id="log">Log</h2>
      {lines.length ? (
        <pre class="log" ref={box} onScroll={scrolled} tabIndex={0} role="log" aria-live="off" aria-labelledby="log">
          {lines.map((event) => (
            <span key={event.seq} data-stream={String(event.data["stream"] ?? "")}>
              {String(event.data["line"] ?? event.message)}
              {"\n"}
            </span>
          ))}
        </pre>
      ) : (
        <p class="muted">The process has printed nothing.</p>
      )}
    </section>
  );
}

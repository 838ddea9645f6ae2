/** An upload on its way to a data set: its files, the stages it goes through, and what was found. */
import { FindingsPanel } from "../data/findings";
import { reference } from "../jobs/row";
import { bytes, count, plural } from "../number";
import { href } from "../route";
import { splitWords } from "../data/words";
import type { Ingest, JobEvent, JsonObject } from "../wire";
import { flat, Group } from "./config";
import type { Feed } from "./feed";
import { LogLines, Timeline } from "./timeline";

const MOST_FILES = 20;

const sorted = (feed: Feed, type: string): JobEvent[] =>
  [...feed.events.values()].filter((event) => event.type === type).sort((a, b) => a.seq - b.seq);

/** The stages of the newest attempt, in the order in which they began. */
function Stages({ job, feed }: { job: Ingest; feed: Feed }) {
  const stages = sorted(feed, "stage").filter((event) => event.attempt === job.attempt);
  if (!stages.length) return null;
  const now = job.status === "running" ? job.progress?.stage : null;
  return (
    <ol class="stages" aria-label="Stages">
      {stages.map((event) => (
        <li key={event.seq} aria-current={event.message === now ? "step" : undefined}>
          {event.message}
        </li>
      ))}
    </ol>
  );
}

function Files({ feed }: { feed: Feed }) {
  const [accepted] = sorted(feed, "queued");
  const files = (accepted?.data["files"] ?? []) as JsonObject[];
  if (!files.length) return null;
  const all = files.reduce((sum, file) => sum + Number(file["size"]), 0);
  return (
    <section class="panel" aria-labelledby="files">
      <h2 id="files">Files</h2>
      <ul class="files">
        {files.slice(0, MOST_FILES).map((file) => (
          <li key={String(file["sha256"]) + String(file["name"])}>
            <span class="clip" title={`SHA-256 ${String(file["sha256"])}`}>
              {String(file["name"])}
            </span>
            <span class="muted number">{bytes(Number(file["size"]))}</span>
          </li>
        ))}
      </ul>
      <p class="muted small">
        {files.length > MOST_FILES ? `and ${count(files.length - MOST_FILES)} more · ` : ""}
        {plural(files.length, "file")}, {bytes(all)}
      </p>
    </section>
  );
}

export function IngestBody({ job, feed }: { job: Ingest; feed: Feed }) {
  feed.version.value; // read: drawn again when something happened
  const findings = job.result?.findings ?? job.error?.detail?.findings;
  const options = flat(job.ingest.options);
  const log = [...feed.events.values()].some((event) => event.type === "log");
  return (
    <>
      <Stages job={job} feed={feed} />
      {job.dataset ? (
        <section class="panel made" aria-labelledby="result">
          <h2 id="result">Result</h2>
          <p>
            <a href={href(["data", reference(job.dataset)])}>{reference(job.dataset)}</a>
            {job.result ? <span class="muted"> · {splitWords(job.result)}</span> : null}
          </p>
          <div class="buttons">
            <a class="button primary" href={href(["jobs", "new"], { dataset: reference(job.dataset) })}>
              Train on this
            </a>
          </div>
        </section>
      ) : null}
      {findings ? <FindingsPanel findings={findings} /> : null}
      <div class="columns">
        <Timeline feed={feed} />
        <Files feed={feed} />
        {log ? <LogLines feed={feed} /> : null}
      </div>
      {options.length ? (
        <section class="panel" aria-labelledby="options">
          <h2 id="options">Settings</h2>
          <div class="groups">
            <Group name="Reading" pairs={options} />
          </div>
        </section>
      ) : null}
    </>
  );
}

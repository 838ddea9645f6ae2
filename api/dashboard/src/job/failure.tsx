import { measure } from "../number";
import { href } from "../route";
import type { Job, JobError } from "../wire";
import type { Feed } from "./feed";

/** What a person can do about each kind of failure of a training. */
const advice: Record<string, string> = {
  invalid_data: "The data set does not fit what was asked. Read the message, correct the request or the data, and train again.",
  out_of_memory: "Use a smaller batch size or a smaller network, or a worker with more memory, and train again.",
  diverged: "The loss stopped being a number. Lower the learning rate, or clip the gradient (clip_norm), and train again.",
  timed_out: "The training ran longer than timeout_seconds allows. Raise it, or ask for fewer epochs, and train again.",
  worker_lost: "The worker died or lost its connection more often than max_attempts allows. Look at the workers, then train again.",
  crashed: "The training process died. The log lines below are the last it said; if they do not explain it, report them.",
  internal: "This is a fault of the service, not of your request. Report it with the job's id and the log lines below.",
};

/** And of predictions. */
const predictionAdvice: Record<string, string> = {
  invalid_data: "A row cannot be answered. Correct the data as the message says, and ask for the predictions again.",
  out_of_memory: "Use a worker with more memory, and ask for the predictions again.",
  timed_out: "It ran longer than timeout_seconds allows. Raise it, and ask for the predictions again.",
  worker_lost: "The worker died or lost its connection more often than max_attempts allows. Look at the workers, then ask again.",
  crashed: "The process that predicted died. The log lines below are the last it said; if they do not explain it, report them.",
};

/** And of an upload; what is not here is as with trainings. */
export const uploadAdvice: Record<string, string> = {
  invalid_data: "Correct the files as the message says, or say in the settings how they are to be read, and upload them again.",
  out_of_memory: "Upload smaller pictures or fewer samples, or use a worker with more memory.",
  worker_lost: "The worker died or lost its connection more often than max_attempts allows. Look at the workers, then upload the files again.",
  crashed: "The process that read the files died. The log lines below are the last it said; if they do not explain it, report them.",
};

const own = ({ kind }: Job): Record<string, string> =>
  kind === "ingest" ? uploadAdvice : kind === "predict" ? predictionAdvice : {};

/** "exit code 137", "signal 9" or nothing. */
function death(error: JobError): string[] {
  const { exit_code, signal } = error.detail ?? {};
  const said: string[] = [];
  if (exit_code !== undefined && exit_code !== null) said.push(`exit code ${exit_code}`);
  if (signal !== undefined && signal !== null) said.push(`signal ${signal}`);
  return said;
}

function lastLines(error: JobError, feed: Feed): string[] {
  const kept = error.detail?.log;
  if (kept?.length) return kept;
  feed.version.value; // read: the lines may still be arriving
  const logs = [...feed.events.values()].filter((event) => event.type === "log").sort((a, b) => a.seq - b.seq);
  return logs.slice(-20).map((event) => String(event.data["line"] ?? event.message));
}

function step(job: Job): string[] {
  return job.kind === "train" && job.progress ? [`at step ${measure(job.progress.step)}`] : [];
}

export function Failure({ job, error, feed }: { job: Job; error: JobError; feed: Feed }) {
  const trains = job.kind === "train";
  const lines = lastLines(error, feed);
  const facts = [...(trains || error.code !== "invalid_data" ? death(error) : []), ...step(job), error.retryable ? "the same request may succeed another time" : ""].filter(Boolean);
  return (
    <section class="panel failure" aria-labelledby="failure">
      <h2 id="failure">
        Failed: <code>{error.code}</code>
      </h2>
      <p class="message">{error.message}</p>
      <p>
        <strong>What to do. </strong>
        {own(job)[error.code] ?? advice[error.code] ?? "Read the message and the log lines below."}{" "}
        {trains ? (
          <a href={href(["jobs", "new"], { from: job.id })}>Train again with these settings</a>
        ) : null}
        {job.kind === "ingest" ? <a href={href(["data"])}>Upload again</a> : null}
      </p>
      {facts.length ? <p class="muted small">{facts.join(" · ")}</p> : null}
      {lines.length ? (
        <pre class="log" tabIndex={0} role="region" aria-label="Last log lines">
          {lines.join("\n")}
        </pre>
      ) : trains ? (
        <p class="muted small">The training process left no log lines.</p>
      ) : null}
    </section>
  );
}

/** The upload from the first byte to the data set, or to the reason why there is none. */
import { signal, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { uploadAdvice } from "../job/failure";
import { reference, Waiting } from "../jobs/row";
import { bytes, percent } from "../number";
import { ProgressBar, progressWords } from "../part/progress";
import { ended } from "../part/status";
import { Pending } from "../part/trouble";
import { useResource } from "../poll";
import { href } from "../route";
import type { Ingest } from "../wire";
import { Skipped } from "./findings";
import { UploadForm } from "./form";
import { accepted, clear, sending, stop, type Sending } from "./upload";
import { splitWords } from "./words";

/** What a screen reader says: one line that stays, whatever is drawn around it. */
const said = signal("");

function useSaid(text: string): void {
  useEffect(() => {
    said.value = text;
  }, [text]);
}

function Sent({ name, sent, size }: Sending) {
  const ratio = size ? sent / size : 0;
  useSaid(`Uploading ${name}`);
  return (
    <div class="line">
      <p>Uploading {name} …</p>
      <progress class="bar" value={ratio} max={1} aria-label={`Uploaded: ${percent(ratio, 0)}`} />
      <p class="muted small number">
        {bytes(sent)} of {bytes(size)}
      </p>
      <div class="buttons">
        <button type="button" onClick={stop}>
          Stop
        </button>
      </div>
    </div>
  );
}

function Checking({ job }: { job: Ingest }) {
  const words = job.status === "queued" ? "The files are there. They wait to be checked." : `Checking ${job.ingest.dataset} …`;
  useSaid(words);
  return (
    <div class="line">
      <p>{words}</p>
      {job.status === "queued" ? <Waiting job={job} /> : <ProgressBar job={job} />}
      <p class="muted small number">{progressWords(job)}</p>
      <p class="small">
        <a href={href(["jobs", job.id])}>The job</a> goes on without this page.
      </p>
    </div>
  );
}

function Outcome({ job }: { job: Ingest }) {
  const findings = job.error?.detail?.findings;
  const again = (): void => void (accepted.value = null);
  useSaid(job.dataset ? `${reference(job.dataset)} is ready.` : job.error ? "" : `The upload of ${job.ingest.dataset} was cancelled.`);
  if (job.status === "succeeded" && job.dataset) {
    const name = reference(job.dataset);
    return (
      <div class="line">
        <p>
          <strong>
            <a href={href(["data", name])}>{name}</a> is ready.
          </strong>{" "}
          <span class="muted">{job.result ? splitWords(job.result) : ""}</span>
        </p>
        <div class="buttons">
          <a class="button primary" href={href(["jobs", "new"], { dataset: name })}>
            Train on this
          </a>
          <button type="button" onClick={clear}>
            Upload another
          </button>
        </div>
      </div>
    );
  }
  return (
    <div class="line">
      {job.error ? (
        <div class="trouble" role="alert">
          <strong>{job.ingest.dataset} is no data set yet</strong>
          <p>{job.error.message}</p>
          <p class="small">
            <strong>What to do. </strong>
            {uploadAdvice[job.error.code] ?? "Look at the job for what happened."} <a href={href(["jobs", job.id])}>The job</a>
          </p>
        </div>
      ) : (
        <p>The upload of {job.ingest.dataset} was cancelled.</p>
      )}
      {findings?.skipped_total ? (
        <ul class="findings">
          <Skipped findings={findings} />
        </ul>
      ) : null}
      <div class="buttons">
        <button type="button" class="primary" onClick={clear}>
          Choose other files
        </button>
        <button type="button" onClick={again}>
          Change the settings
        </button>
      </div>
    </div>
  );
}

function Accepted({ id, made }: { id: string; made: () => void }) {
  const over = useSignal(false);
  const { data: job, problem } = useResource<Ingest>(`/v1/jobs/${encodeURIComponent(id)}`, over.value ? 0 : 700);
  useEffect(() => {
    over.value = job ? ended(job) : false;
    if (over.value) made();
  }, [job]);
  if (!job) {
    return (
      <div class="line">
        <Pending problem={problem} what="the job" />
        {problem?.status === 404 ? (
          <div class="buttons">
            <button type="button" onClick={clear}>
              Upload another
            </button>
          </div>
        ) : null}
      </div>
    );
  }
  return ended(job) ? <Outcome job={job} /> : <Checking job={job} />;
}

/** `made` is called when the list of data sets has changed. */
export function UploadPanel({ made }: { made: () => void }) {
  const heading = useRef<HTMLHeadingElement>(null);
  const stage = sending.value ? "sending" : accepted.value ? "accepted" : "form";
  const before = useRef(stage);
  useEffect(() => {
    // The button that was pressed is gone: the keyboard goes on from the top of the panel.
    if (before.current !== stage && document.activeElement === document.body) heading.current?.focus();
    before.current = stage;
    if (stage === "form") said.value = "";
  }, [stage]);
  return (
    <section class="panel upload-panel" aria-labelledby="upload">
      <h2 id="upload" tabIndex={-1} ref={heading}>
        Upload
      </h2>
      <p class="unseen" role="status">
        {said.value}
      </p>
      {sending.value ? <Sent {...sending.value} /> : accepted.value ? <Accepted id={accepted.value} made={made} /> : <UploadForm />}
    </section>
  );
}

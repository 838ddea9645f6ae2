/** One job: how it stands, its curves, what happened, and what came of it. */
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { jobName, Waiting } from "../jobs/row";
import { ProgressBar, progressWords } from "../part/progress";
import { ended, Status } from "../part/status";
import { Pending, Trouble } from "../part/trouble";
import { useTitle } from "../part/title";
import { useResource } from "../poll";
import { href } from "../route";
import type { Job, Training } from "../wire";
import { Checkpoints } from "./checkpoints";
import { Config } from "./config";
import { Controls } from "./controls";
import type { Evaluate } from "./evaluation";
import { CurvesSection } from "./section";
import { ExplainBody } from "./explain";
import { Facts } from "./facts";
import { Failure } from "./failure";
import { Feed } from "./feed";
import { IngestBody } from "./ingest";
import { Layers } from "./layers";
import { PredictBody } from "./predict";
import { Result } from "./result";
import { LogLines, Timeline } from "./timeline";

function Standing({ job }: { job: Job }) {
  if (job.status === "queued") {
    return (
      <p class="line">
        <Waiting job={job} />
      </p>
    );
  }
  if (ended(job) && job.status !== "cancelled") return null;
  return (
    <div class="line">
      {ended(job) ? null : <ProgressBar job={job} />}
      <span class="muted small">{progressWords(job)}</span>
    </div>
  );
}

/** The feed of a job for as long as the page shows it. */
function useFeed(path: string, known: boolean, changed: () => void): Feed | null {
  const feed = useSignal<Feed | null>(null);
  const latest = useRef(changed);
  latest.current = changed;
  useEffect(() => {
    if (!known) return; // a job that does not exist has no curves to ask for
    const made = new Feed(path, () => latest.current());
    feed.value = made;
    return () => made.close();
  }, [path, known]);
  return feed.value;
}

function TrainingBody({ job, path, feed }: { job: Training; path: string; feed: Feed }) {
  return (
    <>
      {job.resume === "approximate" ? (
        <p class="note">
          This run was resumed approximately: {job.resume_reason ?? "the hardware or a library differs"}. Its weights may differ from an
          undisturbed run.
        </p>
      ) : null}
      <CurvesSection feed={feed} job={job} />
      {job.result ? <Result result={job.result} /> : null}
      <Checkpoints path={path} job={job} />
      <div class="columns">
        <Timeline feed={feed} />
        <LogLines feed={feed} />
      </div>
      <Config job={job} />
      {job.layers ? <Layers layers={job.layers} /> : null}
    </>
  );
}

function EvaluateBody({ job, feed }: { job: Evaluate; feed: Feed }) {
  return (
    <>
      {job.result ? <Result result={job.result} /> : null}
      <div class="columns">
        <Timeline feed={feed} />
        <LogLines feed={feed} />
      </div>
    </>
  );
}

export function JobPage({ id }: { id: string }) {
  const path = `/v1/jobs/${encodeURIComponent(id)}`;
  const over = useSignal(false);
  const { data: job, problem, refresh } = useResource<Job>(path, over.value ? 0 : 2000);
  const feed = useFeed(path, job !== undefined, refresh);
  useTitle(job ? `${jobName(job)} · ${job.status}` : "Job");
  useEffect(() => {
    over.value = job ? ended(job) : false;
  }, [job]);
  const crumb = (
    <p class="crumb">
      <a href={href(["jobs"])}>Jobs</a>
    </p>
  );
  // The heading stays the same element when the job arrives: it may hold the focus.
  if (!job || !feed) {
    const gone = problem?.status === 404;
    return (
      <>
        {crumb}
        <div class="head">
          <div>
            <h1 tabIndex={-1}>Job</h1>
          </div>
        </div>
        {gone ? <Trouble problem={problem} /> : <Pending problem={problem} what="the job" />}
      </>
    );
  }
  return (
    <>
      {crumb}
      <div class="head">
        <div>
          <h1 tabIndex={-1}>{jobName(job)}</h1>
          <p class="under">
            <Status job={job} /> <code class="muted small">{job.id}</code>
          </p>
        </div>
        <Controls job={job} path={path} refresh={refresh} />
      </div>
      <Standing job={job} />
      {job.error ? <Failure job={job} error={job.error} feed={feed} /> : null}
      <Facts job={job} />
      {job.kind === "train" ? <TrainingBody job={job} path={path} feed={feed} /> : null}
      {job.kind === "ingest" ? <IngestBody job={job} feed={feed} /> : null}
      {job.kind === "explain" ? <ExplainBody job={job} feed={feed} /> : null}
      {job.kind === "evaluate" ? <EvaluateBody job={job} feed={feed} /> : null}
      {job.kind === "predict" ? <PredictBody job={job} path={path} feed={feed} /> : null}
    </>
  );
}

import { count, ordinal } from "../number";
import { ProgressBar, progressWords } from "../part/progress";
import { ended, Status } from "../part/status";
import { judged } from "../result";
import { href } from "../route";
import { Ago, Took, Until } from "../time";
import type { DatasetName, Ingest, Job, Training } from "../wire";

export const shortId = (id: string): string => id.slice(-8);
export const family = (job: Training): string => String(job.network["cell"] ?? job.network["family"]);
export const reference = ({ name, version }: DatasetName): string => `${name}@${version}`;

const work = { ingest: "upload", explain: "explanation", predict: "predictions", evaluate: "checkpoint to version" };

export function jobName(job: Job): string {
  if (job.kind === "ingest") return job.dataset ? reference(job.dataset) : job.ingest.dataset;
  if (job.kind === "explain") return job.explain.model;
  if (job.kind === "evaluate") return job.model ?? `step ${job.evaluate.step}`;
  if (job.kind === "predict") return `${job.predict.model} on ${reference(job.dataset)}`;
  return job.model ?? `${job.dataset.name} · ${family(job)}`;
}

/** One line that says how it stands: place in line, progress or outcome. */
function Standing({ job }: { job: Job }) {
  if (job.status === "queued") return <Waiting job={job} />;
  if (job.status === "running" || job.status === "paused") {
    return (
      <>
        <ProgressBar job={job} />
        <span class="muted small">
          {progressWords(job)}
          {job.status === "running" && job.estimated_finish ? (
            <>
              {" · done "}
              <Until at={job.estimated_finish} />
            </>
          ) : null}
        </span>
      </>
    );
  }
  if (job.status === "succeeded" && job.kind === "ingest") return <Made job={job} />;
  if (job.status === "succeeded" && job.kind === "explain" && job.result) {
    return (
      <span>
        <strong>{job.result.target}</strong> <span class="muted">explained</span>
      </span>
    );
  }
  if (job.status === "succeeded" && (job.kind === "train" || job.kind === "evaluate") && job.result?.test) {
    const [value, name] = judged(job.result.test);
    return (
      <span>
        <strong>{value}</strong> <span class="muted">test {name}</span>
      </span>
    );
  }
  if (job.status === "succeeded" && job.kind === "predict" && job.result) {
    const [value, name] = job.result.scores ? judged(job.result.scores) : [count(job.result.rows), "rows"];
    return (
      <span>
        <strong>{value}</strong> <span class="muted">{name}</span>
      </span>
    );
  }
  if (job.status === "failed" && job.error) {
    return (
      <span class="clip" title={job.error.message}>
        <code>{job.error.code}</code> <span class="muted">{job.error.message}</span>
      </span>
    );
  }
  return <span class="muted">{progressWords(job)}</span>;
}

function Made({ job }: { job: Ingest }) {
  const all = Object.values(job.result?.splits ?? {}).reduce((total, samples) => total + samples, 0);
  return (
    <span>
      <strong>{count(all)}</strong> <span class="muted">{all === 1 ? "sample" : "samples"}</span>
    </span>
  );
}

export function Waiting({ job }: { job: Job }) {
  const reason = job.waiting_for?.reason ?? job.queue?.reason;
  const place = job.queue ? (job.queue.position === 1 ? "next in line" : `${ordinal(job.queue.position)} in line`) : "in line";
  return (
    <span>
      {place}
      {job.queue?.expected_start ? (
        <span class="muted">
          {" · starts "}
          <Until at={job.queue.expected_start} />
        </span>
      ) : null}
      {reason ? <span class="muted"> · {reason}</span> : null}
    </span>
  );
}

export function JobRow({ job }: { job: Job }) {
  return (
    <li class="job" data-status={job.status}>
      <Status job={job} />
      <div class="what">
        <a class="cover clip" href={href(["jobs", job.id])}>
          {jobName(job)}
          {job.model_version ? <span class="muted"> version {job.model_version}</span> : null}
        </a>
        <span class="muted small clip">
          {job.kind === "train" ? `${family(job)} on ${reference(job.dataset)}` : work[job.kind]} · <code>{shortId(job.id)}</code>
        </span>
      </div>
      <div class="standing">
        <Standing job={job} />
      </div>
      <div class="when small muted">
        <Ago at={job.created_at} />
        {job.started_at && (ended(job) || job.status === "running") ? (
          <span>
            {ended(job) ? "took " : "for "}
            <Took from={job.started_at} to={job.finished_at} />
          </span>
        ) : null}
      </div>
    </li>
  );
}

import { bytes, count, percent } from "../number";
import type { Job } from "../wire";

/** "epoch 3 of 15 · step 1,200 of 4,500"; of an ingest "reading: 1,200 of 4,500" */
export function progressWords(job: Job): string {
  const { progress } = job;
  if (!progress) return job.status === "running" ? "starting" : "";
  if (progress.stage !== null) {
    const amount = progress.stage === "unpacking" ? bytes : count;
    return `${progress.stage}: ${amount(progress.step)}${progress.total_steps === null ? "" : ` of ${amount(progress.total_steps)}`}`;
  }
  const epochs = progress.epochs === null ? "" : ` of ${count(progress.epochs)}`;
  const steps = progress.total_steps === null ? "" : ` of ${count(progress.total_steps)}`;
  return `epoch ${count(progress.epoch ?? 0)}${epochs} · step ${count(progress.step)}${steps}`;
}

export function ProgressBar({ job }: { job: Job }) {
  const ratio = job.progress?.ratio ?? null;
  if (ratio === null) return <progress class="bar" aria-label="Progress: not known yet" />;
  return <progress class="bar" data-status={job.status} value={ratio} max={1} aria-label={`Progress: ${percent(ratio, 0)}`} />;
}

import { count, percent } from "../number";
import type { Job } from "../wire";

/** "epoch 3 of 15 · step 1,200 of 4,500" */
export function progressWords(job: Job): string {
  const { progress } = job;
  if (!progress) return job.status === "running" ? "starting" : "";
  const epochs = progress.epochs === null ? "" : ` of ${count(progress.epochs)}`;
  const steps = progress.total_steps === null ? "" : ` of ${count(progress.total_steps)}`;
  return `epoch ${count(progress.epoch)}${epochs} · step ${count(progress.step)}${steps}`;
}

export function ProgressBar({ job }: { job: Job }) {
  const ratio = job.progress?.ratio ?? null;
  if (ratio === null) return <progress class="bar" aria-label="Progress: not known yet" />;
  return <progress class="bar" data-status={job.status} value={ratio} max={1} aria-label={`Progress: ${percent(ratio, 0)}`} />;
}

import type { Job } from "../wire";

/** The state in one word; a wish that is not fulfilled yet is said as such. */
export function statusWord(job: Pick<Job, "status" | "requested">): string {
  if (job.requested === "cancel") return "cancelling …";
  if (job.requested === "pause") return "pausing …";
  return job.status;
}

export function Status({ job }: { job: Pick<Job, "status" | "requested"> }) {
  return (
    <span class="status" data-status={job.status}>
      {statusWord(job)}
    </span>
  );
}

export const ended = (job: Pick<Job, "status">): boolean => ["succeeded", "failed", "cancelled"].includes(job.status);

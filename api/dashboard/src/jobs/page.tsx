/** The jobs, newest first, as they are right now. */
import { plural } from "../number";
import { Pending } from "../part/trouble";
import { useTitle } from "../part/title";
import { usePages } from "../pages";
import { go, href, route } from "../route";
import type { Job } from "../wire";
import { NoJobs } from "./empty";
import { JobRow } from "./row";

const statuses = ["running", "queued", "paused", "succeeded", "failed", "cancelled"];
/** What narrows the list beside the status. */
const narrowing = ["kind", "model", "dataset"];
const PAGE = 50;

function Filters({ status }: { status: string }) {
  const { query } = route.value;
  const keep = Object.fromEntries(narrowing.map((name) => [name, query.get(name)]));
  return (
    <nav class="filters" aria-label="Filter by status">
      {["", ...statuses].map((one) => (
        <a key={one} href={href(["jobs"], { ...keep, status: one })} aria-current={one === status ? "true" : undefined}>
          {one || "all"}
        </a>
      ))}
    </nav>
  );
}

/** What narrows the list beside the status, each with a way out. */
function Narrowed() {
  const { query } = route.value;
  const by = narrowing.filter((name) => query.get(name));
  if (!by.length) return null;
  const drop = (name: string): void => {
    go(["jobs"], { ...Object.fromEntries(query), [name]: null });
  };
  return (
    <p class="narrowed">
      {by.map((name) => (
        <button key={name} type="button" class="chip" onClick={() => drop(name)} aria-label={`Remove the filter ${name}`}>
          {name} {query.get(name)} <span aria-hidden="true">×</span>
        </button>
      ))}
    </p>
  );
}

export function JobsPage() {
  useTitle("Jobs");
  const { query } = route.value;
  const asked = new URLSearchParams({ limit: String(PAGE) });
  for (const name of ["status", ...narrowing]) {
    const value = query.get(name);
    if (value) asked.set(name, value);
  }
  const status = query.get("status") ?? "";
  const { shown, problem, more } = usePages<Job>(`/v1/jobs?${asked}`, 2000);
  const narrowed = asked.size > 1;
  return (
    <>
      <div class="head">
        <h1 tabIndex={-1}>Jobs</h1>
        <a class="button primary" href={href(["jobs", "new"])}>
          New training
        </a>
      </div>
      <Filters status={status} />
      <Narrowed />
      {!shown ? <Pending problem={problem} what="jobs" /> : null}
      {shown && !shown.rows.length ? narrowed ? <p class="empty muted">No job like this.</p> : <NoJobs /> : null}
      {shown?.rows.length ? (
        <>
          <ul class="jobs" aria-label="Jobs">
            {shown.rows.map((job) => (
              <JobRow key={job.id} job={job} />
            ))}
          </ul>
          <div class="more">
            <span class="muted small">{shown.more ? `The newest ${plural(shown.rows.length, "job")}` : plural(shown.rows.length, "job")}</span>
            {shown.more ? (
              <button type="button" onClick={more}>
                Load more
              </button>
            ) : null}
          </div>
        </>
      ) : null}
    </>
  );
}

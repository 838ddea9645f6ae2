/** The jobs, newest first, as they are right now. */
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { asProblem, get, type Problem } from "../http";
import { plural } from "../number";
import { Pending } from "../part/trouble";
import { useTitle } from "../part/title";
import { poll } from "../poll";
import { go, href, route } from "../route";
import type { Job, List } from "../wire";
import { NoJobs } from "./empty";
import { JobRow } from "./row";

const statuses = ["running", "queued", "paused", "succeeded", "failed", "cancelled"];
const PAGE = 50;

interface Shown {
  path: string;
  jobs: Job[];
  more: boolean;
}

/** Walks the cursors for as many pages as are open, so that a job that moves to the next page is never lost between two. */
async function load(path: string, pages: number, signal: AbortSignal): Promise<Shown> {
  const jobs: Job[] = [];
  let after = "";
  for (let page = 0; ; page += 1) {
    const list: List<Job> = await get(`${path}${after}`, signal);
    jobs.push(...list.data);
    if (page + 1 >= pages || !list.next_cursor) return { path, jobs, more: list.has_more };
    after = `&after=${encodeURIComponent(list.next_cursor)}`;
  }
}

function useJobs(path: string) {
  const shown = useSignal<Shown | null>(null);
  const problem = useSignal<Problem | undefined>(undefined);
  const pages = useRef(1);
  const running = useRef<{ now: () => void } | null>(null);
  useEffect(() => {
    pages.current = 1;
    const loop = poll(async (signal) => {
      try {
        const found = await load(path, pages.current, signal);
        if (signal.aborted) return;
        shown.value = found;
        problem.value = undefined;
      } catch (error) {
        if (!signal.aborted) problem.value = asProblem(error);
      }
    }, 2000);
    running.current = loop;
    return loop.stop;
  }, [path]);
  const more = (): void => {
    pages.current += 1;
    running.current?.now();
  };
  return { shown: shown.value?.path === path ? shown.value : null, problem: problem.value, more };
}

function Filters({ status }: { status: string }) {
  const { query } = route.value;
  const keep = { model: query.get("model"), dataset: query.get("dataset") };
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
  const by = ["model", "dataset"].filter((name) => query.get(name));
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
  for (const name of ["status", "model", "dataset"]) {
    const value = query.get(name);
    if (value) asked.set(name, value);
  }
  const status = query.get("status") ?? "";
  const { shown, problem, more } = useJobs(`/v1/jobs?${asked}`);
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
      {shown && !shown.jobs.length ? narrowed ? <p class="empty muted">No job like this.</p> : <NoJobs /> : null}
      {shown?.jobs.length ? (
        <>
          <ul class="jobs" aria-label="Jobs">
            {shown.jobs.map((job) => (
              <JobRow key={job.id} job={job} />
            ))}
          </ul>
          <div class="more">
            <span class="muted small">{shown.more ? `The newest ${plural(shown.jobs.length, "job")}` : plural(shown.jobs.length, "job")}</span>
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

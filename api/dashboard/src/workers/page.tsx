/** The machines that train, as they are right now. */
import { bytes, count, plural } from "../number";
import { Copy } from "../part/copy";
import { Pending } from "../part/trouble";
import { useTitle } from "../part/title";
import { useResource } from "../poll";
import { shortId } from "../jobs/row";
import { href } from "../route";
import { Ago } from "../time";
import type { List, Worker } from "../wire";

function WorkerCard({ worker }: { worker: Worker }) {
  const versions = Object.entries(worker.versions).map(([name, version]) => `${name} ${version}`);
  return (
    <li class="panel worker">
      <div class="head small-head">
        <h2 class="clip">{worker.name}</h2>
        <span class="status" data-status={worker.status}>
          {worker.status}
        </span>
      </div>
      <p class="muted small">
        {worker.host} · process {worker.pid} · seen <Ago at={worker.seen_at} />
      </p>
      <div class="slots">
        <meter min={0} max={Math.max(1, worker.slots)} value={worker.busy} aria-label="Busy slots" />
        <span>
          {worker.busy} of {plural(worker.slots, "slot")} busy
        </span>
      </div>
      {worker.jobs.length ? (
        <p>
          {"Working on "}
          {worker.jobs.map((id, index) => (
            <>
              {index ? ", " : ""}
              <a href={href(["jobs", id])}>
                <code>{shortId(id)}</code>
              </a>
            </>
          ))}
        </p>
      ) : null}
      <ul class="devices">
        {worker.devices.map((device) => (
          <li key={device.kind + device.name}>
            <strong>{device.kind}</strong> <span class="muted">{device.name}</span>
            {device.memory_bytes ? <span class="muted"> · {bytes(device.memory_bytes)}</span> : null}
          </li>
        ))}
      </ul>
      <p class="muted small">
        {plural(worker.threads, "thread")} · {bytes(worker.memory_bytes)} memory · started <Ago at={worker.started_at} />
        <br />
        {versions.join(" · ")}
      </p>
    </li>
  );
}

export function WorkersPage() {
  useTitle("Workers");
  const { data, problem } = useResource<List<Worker>>("/v1/workers?limit=100", 2000);
  const workers = data?.data ?? [];
  const online = workers.filter((worker) => worker.status === "online");
  const free = online.reduce((total, worker) => total + Math.max(0, worker.slots - worker.busy), 0);
  return (
    <>
      <div class="head">
        <h1 tabIndex={-1}>Workers</h1>
        {workers.length ? (
          <span class="muted">
            {count(online.length)} online · {plural(free, "free slot")}
          </span>
        ) : null}
      </div>
      {!data ? <Pending problem={problem} what="workers" /> : null}
      {data && !workers.length ? (
        <section class="empty">
          <h2>No worker yet</h2>
          <p>Jobs are accepted and wait in line. Start a worker on this machine, or on another one with the same settings:</p>
          <Copy label="Command that starts a worker" text="python -m workers" />
        </section>
      ) : null}
      <ul class="workers">
        {workers.map((worker) => (
          <WorkerCard key={worker.id} worker={worker} />
        ))}
      </ul>
    </>
  );
}

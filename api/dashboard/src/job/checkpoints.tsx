import { useEffect } from "preact/hooks";
import { bytes, count, measure } from "../number";
import { ended } from "../part/status";
import { useResource } from "../poll";
import { Ago } from "../time";
import type { Checkpoint, Job, List } from "../wire";

export function Checkpoints({ job, path }: { job: Job; path: string }) {
  const { data, refresh } = useResource<List<Checkpoint>>(job.started_at ? `${path}/checkpoints?limit=100` : null, ended(job) ? 0 : 5000);
  useEffect(refresh, [job.status]);
  if (!data?.data.length) return null;
  return (
    <section class="panel" aria-labelledby="checkpoints">
      <h2 id="checkpoints">Checkpoints</h2>
      <div class="scroll" tabIndex={0} role="region" aria-label="Checkpoints, scrollable">
        <table>
          <thead>
            <tr>
              <th scope="col">Step</th>
              <th scope="col">Epoch</th>
              <th scope="col">Kept as</th>
              <th scope="col">Measured</th>
              <th scope="col">Size</th>
              <th scope="col">Made</th>
              <th scope="col">Weights</th>
            </tr>
          </thead>
          <tbody>
            {data.data.map((one) => (
              <tr key={one.id}>
                <td class="number">{count(one.step)}</td>
                <td class="number">{count(one.epoch)}</td>
                <td>{[one.best && "best", one.last && "last"].filter(Boolean).join(", ")}</td>
                <td class="muted small">
                  {Object.entries(one.metrics)
                    .map(([name, value]) => `${name.replaceAll("_", " ")} ${measure(value)}`)
                    .join(", ")}
                </td>
                <td class="number">{bytes(one.size_bytes)}</td>
                <td>
                  <Ago at={one.created_at} />
                </td>
                <td>
                  <a href={`${path}/checkpoints/${one.id}/weights`} download aria-label={`Download the weights of step ${one.step}`}>
                    Download
                  </a>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { call } from "../http";
import { useIdempotencyKey } from "../key";
import { bytes, count, measure } from "../number";
import { Dialog } from "../part/dialog";
import { ended } from "../part/status";
import { useResource } from "../poll";
import { go } from "../route";
import { Ago } from "../time";
import type { Checkpoint, Job, List } from "../wire";

export function Checkpoints({ job, path }: { job: Job; path: string }) {
  const { data, refresh } = useResource<List<Checkpoint>>(job.started_at ? `${path}/checkpoints?limit=100` : null, ended(job) ? 0 : 5000);
  useEffect(refresh, [job.status]);
  const chosen = useSignal<Checkpoint | null>(null);
  const keyFor = useIdempotencyKey();
  const register = async (form: FormData): Promise<void> => {
    const checkpoint = chosen.value!.id;
    const name = String(form.get("model") ?? "").trim();
    const headers = { "idempotency-key": keyFor(`${name} ${checkpoint}`) };
    const made = await call<Job>(`/v1/models/${encodeURIComponent(name)}/versions`, { method: "POST", json: { checkpoint }, headers });
    if (made.body) go(["jobs", made.body.id]);
  };
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
              <th scope="col">
                <span class="unseen">Action</span>
              </th>
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
                <td>
                  <button type="button" onClick={() => (chosen.value = one)} aria-label={`Make a version of step ${one.step}`}>
                    Make a version
                  </button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {chosen.value === null ? null : (
        <Dialog title={`Make a version of step ${count(chosen.value.step)}?`} action="Make it" confirm={register} close={() => (chosen.value = null)}>
          <p>It is measured on the test split and exported first.</p>
          <label class="field">
            <span>Model; a new name makes a new one</span>
            <input name="model" required pattern="[a-z0-9][a-z0-9._\-]*" maxLength={64} value={job.model ?? ""} autocomplete="off" />
          </label>
        </Dialog>
      )}
    </section>
  );
}

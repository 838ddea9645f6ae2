import { bytes, compact } from "../number";
import { Copy } from "../part/copy";
import type { Json, Training } from "../wire";

/** One of several alike, in one line; what is switched off is left out. */
function brief(item: Json): string {
  const off: Json[] = [0, false, null, "none"];
  const on = flat(item).filter(([, value]) => !off.map(String).includes(value));
  return on.map(([name, value]) => `${name} ${value}`).join(", ");
}

/** Nested options as one list: `optimizer.lr`. */
export function flat(value: Json, name = ""): [string, string][] {
  if (Array.isArray(value)) {
    const plain = value.every((item) => typeof item !== "object" || item === null);
    if (plain) return [[name, value.join(", ") || "none"]];
    return value.map((item, index) => [`${name}.${index}`, brief(item)]);
  }
  if (value !== null && typeof value === "object") {
    return Object.entries(value).flatMap(([key, item]) => flat(item, name ? `${name}.${key}` : key));
  }
  // What was left out of the request is null in the job: it is in the JSON, and only noise here.
  return value === null ? [] : [[name, String(value)]];
}

export function Group({ name, pairs }: { name: string; pairs: [string, string][] }) {
  return (
    <div class="group">
      <h3>{name}</h3>
      <dl>
        {pairs.map(([key, value]) => (
          <div key={key}>
            <dt>{key}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </div>
  );
}

export function Config({ job }: { job: Training }) {
  const run: [string, string][] = [
    ...flat(job.fine_tune_from, "fine_tune_from"),
    ["seed", String(job.seed)],
    ["device", job.devices === 1 ? job.device : `${job.devices} × ${job.device}`],
    ["priority", String(job.priority)],
    ["checkpoint_seconds", String(job.checkpoint_seconds)],
    ["max_attempts", String(job.max_attempts)],
    ...flat(job.timeout_seconds, "timeout_seconds"),
    ["memory", bytes(job.memory_bytes)],
    ["FLOPs a sample", compact(job.flops_per_sample)],
  ];
  const { dataset, model, fine_tune_from, network, data, hyperparameters, seed } = job;
  const request = { dataset: `${dataset.name}@${dataset.version}`, model, fine_tune_from, network, data, hyperparameters, seed };
  return (
    <section class="panel" aria-labelledby="config">
      <h2 id="config">Settings</h2>
      <div class="groups">
        <Group name="Network" pairs={flat(network)} />
        <Group name="Training" pairs={flat(hyperparameters)} />
        <Group name="Data" pairs={flat(data)} />
        <Group name="Run" pairs={run} />
        {Object.keys(job.metadata).length ? <Group name="Metadata" pairs={Object.entries(job.metadata)} /> : null}
      </div>
      <details>
        <summary>As JSON</summary>
        <Copy label="Settings as JSON" text={JSON.stringify(request, null, 2)} />
      </details>
    </section>
  );
}

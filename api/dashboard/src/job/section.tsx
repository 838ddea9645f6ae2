import { useSignal } from "@preact/signals";
import { ended } from "../part/status";
import type { Training } from "../wire";
import { Chart, type Line } from "./chart";
import type { Feed } from "./feed";

const loss: Line[] = [
  { metric: "train_loss", label: "train", colour: "--curve-train" },
  { metric: "validation_loss", label: "validation", colour: "--curve-validation", dots: true },
];
const accuracy: Line[] = [
  { metric: "train_accuracy", label: "train", colour: "--curve-train" },
  { metric: "validation_accuracy", label: "validation", colour: "--curve-validation", dots: true },
];
const error: Line[] = [
  { metric: "train_mae", label: "train, absolute", colour: "--curve-train" },
  { metric: "validation_mae", label: "validation, absolute", colour: "--curve-validation", dots: true },
  { metric: "validation_rmse", label: "validation, root mean square", colour: "--curve-rate", dots: true },
];
const bits: Line[] = [
  { metric: "validation_bits_per_character", label: "validation", colour: "--curve-validation", dots: true },
];
const rate: Line[] = [{ metric: "learning_rate", label: "learning rate", colour: "--curve-rate" }];

const words = { loading: "loading", live: "live", reconnecting: "reconnecting", ended: "complete" };

/** The curves of a job, drawn as they grow. */
export function CurvesSection({ feed, job }: { feed: Feed; job: Training }) {
  const log = useSignal(false);
  const scheduled = (job.hyperparameters["schedule"] as { name?: string; warmup_steps?: number } | undefined) ?? {};
  const moving = (scheduled.name !== undefined && scheduled.name !== "constant") || Boolean(scheduled.warmup_steps);
  const version = feed.version.value;
  const state = ended(job) && feed.state.value === "live" ? "ended" : feed.state.value;
  if (!feed.curves.points && (ended(job) || job.status === "queued")) {
    return <p class="muted empty">{ended(job) ? "Nothing was measured." : "Curves appear here as soon as the training has started."}</p>;
  }
  return (
    <section aria-labelledby="curves">
      <div class="head small-head">
        <h2 id="curves">Curves</h2>
        <span class="live" data-state={state}>
          {words[state]}
        </span>
        <label class="check">
          <input type="checkbox" checked={log.value} onChange={(event) => (log.value = event.currentTarget.checked)} />
          logarithmic loss
        </label>
      </div>
      <div class="columns">
        <Chart title="Loss" curves={feed.curves} version={version} lines={loss} log={log.value} />
        {feed.curves.has("train_mae") || feed.curves.has("validation_mae") ? (
          <Chart title="Error" curves={feed.curves} version={version} lines={error} />
        ) : (
          <Chart title="Accuracy" curves={feed.curves} version={version} lines={accuracy} range={[0, 1]} />
        )}
        {feed.curves.has("validation_bits_per_character") ? (
          <Chart title="Bits per character" curves={feed.curves} version={version} lines={bits} />
        ) : null}
        {moving && feed.curves.has("learning_rate") ? (
          <Chart title="Learning rate" curves={feed.curves} version={version} lines={rate} />
        ) : null}
      </div>
    </section>
  );
}

import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import { asProblem, call, type Problem } from "../http";
import { useIdempotencyKey } from "../key";
import { Dialog } from "../part/dialog";
import { ended } from "../part/status";
import { Trouble } from "../part/trouble";
import { go, href } from "../route";
import type { Job } from "../wire";

interface Props {
  job: Job;
  path: string;
  refresh: () => void;
}

/** What can be done with a job in its state. A wish that is under way is shown as such and cannot be wished twice. */
/** The way to the next job of this kind. */
function Another({ job }: { job: Job }) {
  const ways = {
    train: { to: href(["jobs", "new"], { from: job.id }), words: "Train again" },
    ingest: { to: href(["data"]), words: "Upload another" },
    explain: { to: href(["playground"]), words: "Ask another" },
    evaluate: { to: href(["models", job.model ?? ""]), words: "See the model" },
    predict: { to: href(["models", job.kind === "predict" ? (job.predict.model.split(":")[0] ?? "") : ""]), words: "See the model" },
  };
  const { to, words } = ways[job.kind];
  return (
    <a class="button" href={to}>
      {words}
    </a>
  );
}

/** What is said before a job of a kind is cancelled or deleted. */
const kinds: Record<Job["kind"], { name: string; cancelled: string; deleted: string }> = {
  train: {
    name: "training",
    cancelled: "It stops within a second and cannot be resumed. Its last checkpoint stays. To stop for a while, pause it instead.",
    deleted: "Its curves, events and checkpoints are removed for good. Model versions made from it stay.",
  },
  ingest: {
    name: "upload",
    cancelled: "No data set is made of it, and its files are removed.",
    deleted: "Its history is removed for good. The data set that was made by it stays.",
  },
  explain: {
    name: "explanation",
    cancelled: "Nothing is explained, and the sample is removed.",
    deleted: "Its history and the explanation are removed for good.",
  },
  predict: {
    name: "prediction",
    cancelled: "It stops within a second, and what was answered is removed. To stop for a while, pause it instead.",
    deleted: "Its history and the file with the predictions are removed for good.",
  },
  evaluate: {
    name: "evaluation",
    cancelled: "No version is made; the checkpoint stays where it is.",
    deleted: "Its history is removed for good. The version that it made stays.",
  },
};

export function Controls({ job, path, refresh }: Props) {
  const problem = useSignal<Problem | null>(null);
  const sending = useSignal<string | null>(null);
  const keyFor = useIdempotencyKey();
  const replays = useRef(0);
  const asking = useSignal<"cancel" | "delete" | null>(null);

  const ask = async (verb: string): Promise<void> => {
    sending.value = verb;
    problem.value = null;
    try {
      await call(`${path}/${verb}`, { method: "POST" });
    } catch (error) {
      problem.value = asProblem(error);
    } finally {
      sending.value = null;
      refresh();
    }
  };
  /** Trains the same once more, as a job of its own, whose page says how the weights compare. */
  const replay = async (): Promise<void> => {
    sending.value = "replay";
    problem.value = null;
    try {
      const headers = { "idempotency-key": keyFor(`${path} ${replays.current}`) };
      const { body } = await call<Job>(`${path}/replay`, { method: "POST", headers });
      replays.current += 1;
      if (body) go(["jobs", body.id]);
    } catch (error) {
      problem.value = asProblem(error);
    } finally {
      sending.value = null;
    }
  };
  const remove = async (): Promise<void> => {
    await call(path, { method: "DELETE" });
    go(["jobs"]);
  };

  const cancelling = job.requested === "cancel" || sending.value === "cancel";
  const pausing = job.requested === "pause" || sending.value === "pause";
  const over = ended(job);
  const trains = job.kind === "train";
  const words = kinds[job.kind];
  return (
    <div class="controls">
      <div class="buttons">
        {job.status === "paused" ? (
          <button type="button" class="primary" disabled={sending.value !== null} onClick={() => void ask("resume")}>
            {sending.value === "resume" ? "Resuming …" : "Resume"}
          </button>
        ) : null}
        {(trains || job.kind === "predict") && (job.status === "running" || job.status === "queued") ? (
          <button type="button" disabled={pausing || cancelling} onClick={() => void ask("pause")}>
            {pausing ? "Pausing …" : "Pause"}
          </button>
        ) : null}
        {over ? (
          <Another job={job} />
        ) : (
          <button type="button" class="danger" disabled={cancelling} onClick={() => (asking.value = "cancel")}>
            {cancelling ? "Cancelling …" : "Cancel"}
          </button>
        )}
        {trains && job.status === "succeeded" ? (
          <button
            type="button"
            title="Train it again from all that is stored of it, and compare the weights"
            disabled={sending.value !== null}
            onClick={() => void replay()}
          >
            {sending.value === "replay" ? "Replaying …" : "Replay"}
          </button>
        ) : null}
        {over ? (
          <button type="button" class="danger" onClick={() => (asking.value = "delete")}>
            Delete
          </button>
        ) : null}
      </div>
      {problem.value ? <Trouble problem={problem.value} /> : null}
      {asking.value === "cancel" ? (
        <Dialog
          title={`Cancel this ${words.name}?`}
          action={`Cancel ${words.name}`}
          danger
          confirm={() => ask("cancel")}
          close={() => (asking.value = null)}
        >
          <p>{words.cancelled}</p>
        </Dialog>
      ) : null}
      {asking.value === "delete" ? (
        <Dialog title="Delete this job?" action="Delete job" danger confirm={remove} close={() => (asking.value = null)}>
          <p>{words.deleted}</p>
        </Dialog>
      ) : null}
    </div>
  );
}

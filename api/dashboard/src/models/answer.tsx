/** Have a version of a model answer every row of a data set: a job, whose page has the file in the end. */
import { useSignal } from "@preact/signals";
import { call, Problem } from "../http";
import { reference } from "../jobs/row";
import { useIdempotencyKey } from "../key";
import { Dialog } from "../part/dialog";
import { Choice } from "../part/field";
import { useResource } from "../poll";
import { go } from "../route";
import type { Dataset, Job, List, ModelVersion } from "../wire";

const SPLITS = ["test", "train", "validation"];
/** Rows for spreadsheets, for programs, and for NumPy. */
const FORMATS = ["csv", "jsonl", "npz"];

interface Props {
  name: string;
  path: string;
  /** Those that are ready, newest first; the one that serves is chosen unless said. */
  versions: number[];
  serves: number;
  close: () => void;
}

/** The data sets that a version may read (the service knows exactly), the one that it was trained on first. */
function readable(version: ModelVersion, all: Dataset[]): string[] {
  const alike = all.filter((one) => one.kind === version.input.kind && one.task === version.task);
  return [...new Set([reference(version.dataset), ...alike.map(reference)])];
}

export function AnswerDialog({ name, path, versions, serves, close }: Props) {
  const number = useSignal(String(serves));
  const chosen = useSignal("");
  const split = useSignal("test");
  const format = useSignal("csv");
  const refused = useSignal<Problem | null>(null);
  const keyFor = useIdempotencyKey();
  const version = useResource<ModelVersion>(`${path}/versions/${number.value}`).data;
  const all = useResource<List<Dataset>>("/v1/datasets?limit=100").data?.data ?? [];
  const choices = version ? readable(version, all) : [];
  const dataset = choices.includes(chosen.value) ? chosen.value : (choices[0] ?? "");
  const splits = all.find((one) => reference(one) === dataset)?.splits;
  const there = SPLITS.filter((one) => !splits || one in splits);
  const of = there.includes(split.value) ? split.value : "all";

  const start = async (): Promise<void> => {
    refused.value = null;
    const json = { kind: "predict", model: `${name}:${number.value}`, dataset, split: of, format: format.value };
    const headers = { "idempotency-key": keyFor(JSON.stringify(json)) };
    try {
      const made = await call<Job>("/v1/jobs", { method: "POST", json, headers });
      if (made.body) go(["jobs", made.body.id]);
    } catch (error) {
      if (error instanceof Problem) refused.value = error;
      throw error;
    }
  };
  const field = (at: string) => ({ name: at, error: refused.value?.errors.find(({ pointer }) => pointer === `#/${at}`)?.detail });
  return (
    <Dialog title="Answer a data set" action="Start" confirm={start} close={close}>
      <p>A worker asks {name} about every row. The file of answers is on the job's page when it has succeeded.</p>
      <Choice
        label="Version"
        options={[...new Set([serves, ...versions])].sort((a, b) => b - a).map(String)}
        value={number.value}
        set={(text) => (number.value = text)}
        {...field("model")}
      />
      <Choice label="Data set" options={choices} value={dataset} set={(text) => (chosen.value = text)} {...field("dataset")} />
      <Choice label="Split" options={[...there, "all"]} value={of} set={(text) => (split.value = text)} {...field("split")} />
      <Choice label="Format" options={FORMATS} value={format.value} set={(text) => (format.value = text)} {...field("format")} />
    </Dialog>
  );
}

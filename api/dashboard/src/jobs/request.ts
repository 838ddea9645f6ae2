/** The body of `POST /v1/jobs`, made from what the form holds. */
import type { Dataset, JsonObject, Training } from "../wire";
import { reference } from "./row";

/** Everything as typed; empty means "leave it to the service". */
export interface Draft {
  dataset: string;
  model: string;
  family: "cnn" | "rnn";
  channels: string;
  cell: string;
  hidden: string;
  layers: string;
  resize: string;
  /** What texts are cut into; of no meaning for other data. */
  tokens: string;
  epochs: string;
  batch: string;
  optimizer: string;
  rate: string;
  seed: string;
  priority: string;
}

export const blank: Draft = {
  dataset: "digits",
  model: "digits",
  family: "cnn",
  channels: "32, 64",
  cell: "elman",
  hidden: "128",
  layers: "1",
  resize: "28",
  tokens: "char",
  epochs: "15",
  batch: "64",
  optimizer: "adam",
  rate: "",
  seed: "0",
  priority: "0",
};

/** Text that is no number goes out as it is: the service says what is wrong with it, beside the field. */
function number(text: string): number | string {
  const value = Number(text);
  return text.trim() !== "" && Number.isFinite(value) ? value : text;
}

const present = (pairs: [string, string][]): JsonObject =>
  Object.fromEntries(pairs.filter(([, text]) => text.trim() !== "").map(([name, text]) => [name, number(text)]));

/** From this length on a text is sentences, whose words tell more than their characters. */
const SENTENCE = 40;
/** The seed network needs pictures of at least so many pixels a side. */
const SMALLEST = 10;

/** The draft for another data set: what cannot work with it, or was only made for the one before, is chosen anew. */
export function fitted(draft: Draft, dataset: Dataset, called: string = reference(dataset)): Draft {
  const image = dataset.kind === "image";
  const small = image && Math.min(...dataset.shape.slice(0, 2)) < SMALLEST;
  const [before] = draft.dataset.split("@");
  return {
    ...draft,
    dataset: called,
    model: draft.model === before ? dataset.name : draft.model,
    family: image ? draft.family : "rnn",
    cell: image ? draft.cell : "gru", // long sequences are more than an Elman cell remembers
    resize: small ? "28" : "",
    tokens: (dataset.lengths?.[1] ?? 0) > SENTENCE ? "word" : "char",
  };
}

/** Whether the network reads sequences of several lengths; a convolution then needs a pool over all of their steps. */
export const varies = (kind: string, lengths: [number, number] | null): boolean =>
  kind === "text" || (kind === "series" && lengths !== null);

/** `kind` is that of the data set. */
export function body(draft: Draft, kind: string, lengths: [number, number] | null): JsonObject {
  const stages = draft.channels.split(/[\s,]+/).filter(Boolean).map((text) => ({ channels: number(text) }));
  const network: JsonObject =
    draft.family === "cnn"
      ? { family: "cnn", stages, ...(varies(kind, lengths) ? { global_pool: "max" } : {}) }
      : { family: "rnn", cell: draft.cell, ...present([["hidden", draft.hidden], ["layers", draft.layers]]) };
  const made: JsonObject = { dataset: draft.dataset };
  if (draft.model.trim()) made["model"] = draft.model.trim();
  made["network"] = network;
  if (draft.family === "cnn" && kind === "image" && draft.resize.trim()) {
    const sides = draft.resize.split(/[\s,x×]+/).filter(Boolean).map(number);
    made["data"] = { resize: sides.length === 1 ? [sides[0]!, sides[0]!] : sides };
  }
  if (kind === "text" || kind === "corpus") made["data"] = { tokens: draft.tokens };
  const batch: [string, string][] = draft.optimizer === "gd" ? [] : [["batch_size", draft.batch]];
  made["hyperparameters"] = {
    ...present([["epochs", draft.epochs], ...batch]),
    optimizer: { name: draft.optimizer, ...present([["lr", draft.rate]]) },
  };
  Object.assign(made, present([["seed", draft.seed], ["priority", draft.priority]]));
  return made;
}

/** Where in the request each field of the form ends up: longest pointer first when an error is placed. */
export const pointers: [string, keyof Draft][] = [
  ["#/dataset", "dataset"],
  ["#/model", "model"],
  ["#/network/stages", "channels"],
  ["#/network/cell", "cell"],
  ["#/network/hidden", "hidden"],
  ["#/network/layers", "layers"],
  ["#/network/family", "family"],
  ["#/data/resize", "resize"],
  ["#/data/tokens", "tokens"],
  ["#/hyperparameters/epochs", "epochs"],
  ["#/hyperparameters/batch_size", "batch"],
  ["#/hyperparameters/optimizer/lr", "rate"],
  ["#/hyperparameters/optimizer", "optimizer"],
  ["#/seed", "seed"],
  ["#/priority", "priority"],
];

/** The field that an error's JSON pointer speaks of, or null. A union's tag in the path (`/network/cnn/...`) is skipped. */
export function fieldOf(pointer: string): keyof Draft | null {
  const plain = pointer.replace(/^#\/network\/(cnn|rnn)\//, "#/network/");
  return pointers.find(([place]) => plain === place || plain.startsWith(`${place}/`))?.[1] ?? null;
}

const text = (value: unknown): string => (typeof value === "number" || typeof value === "string" ? String(value) : "");

/** A draft that repeats a job, as far as the form has fields for it. */
export function draftOf(job: Training): Draft {
  const { network, data, hyperparameters } = job;
  const optimizer = (hyperparameters["optimizer"] ?? {}) as JsonObject;
  const stages = Array.isArray(network["stages"]) ? (network["stages"] as JsonObject[]) : [];
  return {
    ...blank,
    dataset: reference(job.dataset),
    model: job.model ?? "",
    family: network["family"] === "rnn" ? "rnn" : "cnn",
    channels: stages.length ? stages.map((stage) => text(stage["channels"])).join(", ") : blank.channels,
    cell: text(network["cell"]) || blank.cell,
    hidden: text(network["hidden"]) || blank.hidden,
    layers: text(network["layers"]) || blank.layers,
    resize: Array.isArray(data["resize"]) ? data["resize"].map(text).join(", ") : "",
    tokens: text(data["tokens"]) || blank.tokens,
    epochs: text(hyperparameters["epochs"]),
    batch: text(hyperparameters["batch_size"]),
    optimizer: text(optimizer["name"]) || blank.optimizer,
    rate: text(optimizer["lr"]),
    seed: String(job.seed),
    priority: String(job.priority),
  };
}

/** JSON on one line with room between its words, so that it wraps where people would. */
const spaced = (value: unknown): string => JSON.stringify(value, null, 1).replace(/([[{])\n\s*|\n\s*(?=[\]}])/g, "$1").replace(/\n\s*/g, " ");

export function curl(request: unknown, keyed: boolean): string {
  const lines = [
    `curl ${location.origin}/v1/jobs`,
    ...(keyed ? [`-H "authorization: Bearer $EPOCHD_API_KEY"`] : []),
    `-H "content-type: application/json"`,
    `-d '${spaced(request).replaceAll("'", "'\\''")}'`,
  ];
  return lines.join(" \\\n  ");
}

/** Data sets in words. */
import { count, plural } from "../number";
import type { Dataset, Task } from "../wire";

const colours: Record<number, string> = { 1: "grey", 3: "colour", 4: "colour with transparency" };

/** One sample: "28×28, grey", "7–29 steps of 12 features", "3–256 characters", "0.14–2.28 s at 8,000 Hz". */
export function shapeWords({ kind, shape, lengths, rate, task }: Pick<Dataset, "kind" | "shape" | "lengths" | "rate"> & { task?: Task }): string {
  const [first = 0, second = 1, third = 1] = shape;
  const between = lengths ? `${count(lengths[0])}–${count(lengths[1])}` : null;
  if (task === "forecast") return `${plural(second, "column")} of a table`;
  if (kind === "image") return `${first}×${second}, ${colours[third] ?? `${third} channels`}`;
  if (rate && lengths) return `${lengths.map((one) => (one / rate).toFixed(2)).join("–")} s at ${count(rate)} Hz`;
  if (kind === "corpus") return "one text";
  if (kind === "text") return `${between ?? "?"} characters`;
  return `${between ?? count(first)} steps${second > 1 ? ` of ${count(second)} features` : ""}`;
}

const order = ["train", "validation", "test"];

/** The splits that a data set has, in the order in which they are used. */
export const splitsOf = ({ splits }: Pick<Dataset, "splits">): [string, number][] =>
  order.flatMap((name) => (splits[name] ? [[name, splits[name]] as [string, number]] : []));

export const splitWords = (dataset: Pick<Dataset, "splits">): string =>
  splitsOf(dataset)
    .map(([name, samples]) => `${count(samples)} ${name}`)
    .join(" · ");

/** What a network learns of it: "10 classes", "regression of price", "forecast of OT", "language". */
export const taskWords = ({ task, classes, targets }: Pick<Dataset, "task" | "classes" | "targets">): string =>
  task === "classification" ? plural(classes.length, "class", "classes") : targets ? `${task} of ${targets.join(", ")}` : task;

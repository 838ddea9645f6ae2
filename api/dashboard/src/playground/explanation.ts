/** What the service answers when it is asked why. */
import type { AnyJob, JsonObject } from "../wire";

/** A part of a sample: `box` of an image [y0, x0, y1, x1], else `start` and `end`. */
export interface Player {
  value: number;
  box?: [number, number, number, number];
  start?: number;
  end?: number;
  text?: string;
}

export interface Explanation {
  kind: string;
  target: string;
  output: number;
  r2: number | null;
  shape: number[];
  players: Player[];
}

/** The same asked of a worker. */
export interface Explain extends AnyJob {
  kind: "explain";
  dataset: null;
  explain: { model: string; options: JsonObject };
  result: Explanation | null;
}

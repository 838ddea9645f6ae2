/** What a training reached, as the API sends it, and how one says it. */
import { measure, percent } from "./number";
import type { AnyJob, DatasetName } from "./wire";

/** Of classes accuracy, of numbers errors in their own units, of a text how well the next token is foreseen. */
export interface Score {
  loss: number;
  accuracy?: number;
  mae?: number;
  rmse?: number;
  perplexity?: number;
  bits_per_character?: number;
}

export interface TestScore extends Score {
  macro_f1?: number | null;
  auroc?: number | null;
  r2?: number | null;
  mase?: number | null;
}

/** One class of the test split; null where a score is undefined. */
export interface ClassScore {
  class: string;
  precision: number | null;
  recall: number | null;
  f1: number | null;
  auroc: number | null;
  support: number;
}

/** What a forecast is compared with: the value one season before. */
export interface Baseline {
  name: string;
  season: number;
  mae: number;
  rmse: number;
  mase: number | null;
}

/** A window of the test split, by target: the last rows seen, those that came, those foretold. */
export interface Forecast {
  window: number;
  seen: Record<string, number[]>;
  truth: Record<string, number[]>;
  forecast: Record<string, number[]>;
}

/** How a replay compares with the job that it trained again. */
export interface Replay {
  of: string;
  match: boolean;
  weights_sha256: string;
  original_sha256: string;
  differences: string[];
}

export interface JobResult {
  test: TestScore | null;
  validation: Score | null;
  best_step: number;
  best_epoch: number;
  steps: number;
  epochs: number;
  stopped: string;
  seconds: number;
  confusion_matrix: number[][] | null;
  /** Missing in the results of older versions, as the two behind it. */
  per_class?: ClassScore[];
  baseline?: Baseline | null;
  forecasts?: Forecast[];
  classes: string[];
  weights_sha256: string;
  replay?: Replay;
}

/** What came of answering a data set; `scores` is null for `scores_reason`. */
export interface Answered {
  rows: number;
  size_bytes: number;
  sha256: string;
  scores: Partial<Score> | null;
  scores_reason: string | null;
  confusion_matrix: number[][] | null;
  classes: string[];
  seconds: number;
}

/** A model version (`name:version`) that answers every row of a data set. */
export interface Predict extends AnyJob {
  kind: "predict";
  dataset: DatasetName;
  predict: { model: string; split: string; format: string; top: number | null };
  result: Answered | null;
}

/** The score that a task is judged by: its value and its name. */
export function judged({ accuracy, bits_per_character: bits, rmse, loss }: Partial<Score>, digits = 1): [value: string, name: string] {
  if (bits !== undefined) return [bits.toFixed(1 + digits), "bits per character"];
  if (accuracy !== undefined) return [percent(accuracy, digits), "accuracy"];
  return rmse === undefined ? [measure(loss), "loss"] : [measure(rmse), "RMSE"];
}

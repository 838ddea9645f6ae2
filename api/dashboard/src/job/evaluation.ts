/** A checkpoint that becomes a model version. */
import type { JobResult } from "../result";
import type { AnyJob, DatasetName } from "../wire";

/** A checkpoint on its way to a model version. */
export interface Evaluate extends AnyJob {
  kind: "evaluate";
  dataset: DatasetName;
  evaluate: { job: string; checkpoint: string; step: number };
  result: JobResult | null;
}

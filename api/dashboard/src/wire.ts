/** The shapes that the HTTP interface sends. Enumerations are open-ended: an unknown word is shown as it is. */
import type { Evaluate } from "./job/evaluation";
import type { Explain } from "./playground/explanation";
import type { JobResult, Predict, Score, TestScore } from "./result";

export interface List<T> {
  object: "list";
  data: T[];
  has_more: boolean;
  next_cursor: string | null;
}

export type Status = "queued" | "running" | "paused" | "succeeded" | "failed" | "cancelled";

/** The steps of a training are those of its optimizer; an ingest names the `stage` whose steps it counts. */
export interface Progress {
  stage: string | null;
  step: number;
  total_steps: number | null;
  epoch: number | null;
  epochs: number | null;
  ratio: number | null;
}

export interface Layer {
  name: string;
  kind: string;
  input: number[];
  output: number[];
  parameters: number;
  flops: number;
  activation_bytes: number;
}

export interface JobError {
  code: string;
  message: string;
  param: string | null;
  retryable: boolean;
  detail: {
    exit_code?: number | null;
    signal?: string | number | null;
    log?: string[];
    findings?: Findings;
    [key: string]: unknown;
  } | null;
}

export type { ClassScore, JobResult, Score } from "./result";

export interface DatasetName {
  id: string;
  name: string;
  version: number;
}

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

/** What jobs of every kind have. */
export interface AnyJob {
  id: string;
  status: Status;
  requested: "cancel" | "pause" | null;
  created_at: string;
  started_at: string | null;
  finished_at: string | null;
  estimated_finish: string | null;
  model: string | null;
  model_version: number | null;
  device: string;
  devices: number;
  priority: number;
  metadata: Record<string, string>;
  checkpoint_seconds: number;
  max_attempts: number;
  timeout_seconds: number | null;
  memory_bytes: number;
  progress: Progress | null;
  attempt: number;
  worker: string | null;
  threads: number | null;
  queue: { position: number; expected_start: string | null; reason: string | null } | null;
  waiting_for: { reason: string } | null;
  resume: "exact" | "approximate" | null;
  resume_reason: string | null;
  error: JobError | null;
  replay_of: string | null;
  last_seq: number;
}

export interface Training extends AnyJob {
  kind: "train";
  dataset: DatasetName;
  /** As `name:version`. */
  fine_tune_from: string | null;
  network: JsonObject;
  data: JsonObject;
  hyperparameters: JsonObject;
  seed: number;
  parameters: number;
  flops_per_sample: number;
  layers: Layer[] | null;
  result: JobResult | null;
}

/** Uploaded files on their way to a data set, which is named once it is there. */
export interface Ingest extends AnyJob {
  kind: "ingest";
  dataset: DatasetName | null;
  ingest: { dataset: string; options: JsonObject; source: string };
  result: { splits: Record<string, number>; findings: Findings; seconds: number } | null;
}

export type Job = Training | Ingest | Explain | Predict | Evaluate;

export interface Measured {
  min: number;
  mean: number;
  max: number;
  std: number;
}

/** What an ingest found out about the files. One that was refused has only what was known by then. */
export interface Findings {
  samples?: Record<string, Record<string, number>>;
  /** Numbers to foretell, or the columns of a forecast's table: {split: {name: {min, mean, max, std, ...}}}. */
  targets?: Record<string, Record<string, Measured>>;
  columns?: Record<string, Record<string, Measured>>;
  skipped?: { file: string; row?: number; reason: string }[];
  skipped_total?: number;
  ignored_files?: string[];
  ignored_files_total?: number;
  single_sample_classes?: string[];
  single_sample_classes_total?: number;
  duplicates_within_train?: number;
  duplicates_across_splits?: { count: number; examples: Record<string, string>[] };
  converted?: Record<string, number>;
  notes?: string[];
}

export interface JobEvent {
  job: string;
  seq: number;
  created_at: string;
  attempt: number;
  level: "info" | "warning" | "error";
  type: string;
  message: string;
  data: JsonObject;
}

export interface Metrics {
  last_seq: number;
  data: { name: string; total: number; points: [number, number | null][] }[];
}

export interface Point {
  name: string;
  step: number;
  value: number | null;
}

export interface Checkpoint {
  id: string;
  job: string;
  step: number;
  epoch: number;
  attempt: number;
  best: boolean;
  last: boolean;
  metrics: Record<string, number>;
  size_bytes: number;
  weights_sha256: string;
  created_at: string;
}

export type Task = "classification" | "regression" | "forecast" | "language";

export interface Dataset extends DatasetName {
  kind: string;
  task: Task;
  created_at: string;
  shape: number[];
  /** [shortest, longest] where samples differ in length. */
  lengths: [number, number] | null;
  /** Of recordings, in Hz. */
  rate: number | null;
  dtype: string;
  /** Empty unless the task is classification. */
  classes: string[];
  /** Of a forecast's table, in order. */
  columns: string[] | null;
  /** Names of the numbers to foretell. */
  targets: string[] | null;
  splits: Record<string, number>;
  size_bytes: number;
  sha256: string;
  source: string;
  /** Null for what is built in. */
  findings: Findings | null;
}

/** Rows of pixels (of channels), steps of a series (of features), a text; null for a recording, and where not asked for. */
export type Values = number[] | number[][] | number[][][] | string | null;

export interface Sample {
  index: number;
  label: string;
  values: Values;
}

/** What the process that answered served of a version in the last hour. */
export interface Served {
  version: number;
  requests: number;
  samples: number;
  errors: number;
  p50_ms: number | null;
  p95_ms: number | null;
  p99_ms: number | null;
  last_request_at: string | null;
}

export interface Model {
  name: string;
  created_at: string;
  production: number | null;
  latest_ready: number | null;
  serves: number | null;
  versions: number;
  aliases: Record<string, number>;
  served: Served[];
}

export interface ModelVersion {
  model: string;
  version: number;
  job: string | null;
  checkpoint_step: number;
  created_at: string;
  ready: boolean;
  reason: string | null;
  weights_sha256: string;
  parameters: number;
  task: Task;
  input: { kind: string; shape: number[]; dtype: string };
  /** Null in lists. */
  preprocessing: JsonObject | null;
  classes: string[];
  columns: string[] | null;
  targets: string[] | null;
  metrics: { test?: TestScore | null; validation?: Score | null };
  dataset: DatasetName;
}

export interface Alias {
  model: string;
  alias: string;
  version: number;
  updated_at: string;
}

export interface AliasMove {
  alias: string;
  from: number | null;
  to: number | null;
  by: string;
  reason: string | null;
  at: string;
}

export interface Worker {
  id: string;
  name: string;
  host: string;
  pid: number;
  status: string;
  slots: number;
  busy: number;
  devices: { kind: string; name: string; memory_bytes: number | null }[];
  memory_bytes: number;
  threads: number;
  started_at: string;
  seen_at: string;
  versions: Record<string, string>;
  jobs: string[];
}

export interface Session {
  tenant: string;
  admin: boolean;
  keys_required: boolean;
}

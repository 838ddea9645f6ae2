/** Real samples, which the model was never trained on: those of the test split. */
import { call, get } from "../http";
import type { Dataset, List, ModelVersion, Sample } from "../wire";

const path = ({ dataset }: ModelVersion): string => `/v1/datasets/${encodeURIComponent(`${dataset.name}@${dataset.version}`)}`;

/** One of them, anywhere, perhaps without its values; nothing when the data set is gone. */
export async function drawSample(version: ModelVersion, values = true): Promise<Sample | null> {
  const { splits } = await get<Dataset>(path(version));
  const index = Math.floor(Math.random() * (splits["test"] ?? 0));
  const after = index ? `&after=${index - 1}` : "";
  const list = await call<List<Sample>>(`${path(version)}/samples?split=test&limit=1&values=${values}${after}`);
  return list.body?.data[0] ?? null;
}

/** The samples of a forecast's table are stretches of so many rows. */
const STRETCH = 96;

/** Rows in turn from anywhere in the test split of a forecast's table, or in what it was trained on where that is too short. */
export async function drawRows(version: ModelVersion, wanted: number, least: number): Promise<number[][]> {
  const { splits } = await get<Dataset>(path(version));
  const split = (splits["test"] ?? 0) >= least ? "test" : "train";
  const first = Math.floor(Math.random() * (Math.max(0, (splits[split] ?? 0) - wanted) + 1));
  const from = Math.floor(first / STRETCH);
  const limit = Math.min(100, Math.ceil(wanted / STRETCH) + 1);
  const list = await call<List<Sample>>(`${path(version)}/samples?split=${split}&limit=${limit}${from ? `&after=${from - 1}` : ""}`);
  const rows = (list.body?.data ?? []).flatMap(({ values }) => values as (number | number[])[]);
  return rows.slice(first - from * STRETCH, first - from * STRETCH + wanted).map((row) => (typeof row === "number" ? [row] : row));
}

/** Its picture as the service stores it, a PNG. */
export async function drawPicture(version: ModelVersion): Promise<{ picture: Blob; label: string } | null> {
  const sample = await drawSample(version, false);
  if (!sample) return null;
  const answer = await fetch(`${path(version)}/samples/${sample.index}/image?split=test`);
  return answer.ok ? { picture: await answer.blob(), label: sample.label } : null;
}

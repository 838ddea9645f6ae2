/** Real samples, from all over a split. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { asProblem, call, type Problem } from "../http";
import { count } from "../number";
import { Pending } from "../part/trouble";
import type { Dataset, List, Sample } from "../wire";
import { Drawing } from "./drawing";
import { splitsOf } from "./words";

/** So many fill rows of every width. */
const SHOWN: Record<string, number> = { image: 27 };
const FEW = 12;
/** Rows of a forecast's table that the service shows together. */
const STRETCH = 96;
/** Characters of a piece. */
const PIECE = 500;
/** Numbers that one look may bring over; large pictures are therefore fewer. */
const MOST_NUMBERS = 1_500_000;

const path = (dataset: Dataset): string => `/v1/datasets/${encodeURIComponent(`${dataset.name}@${dataset.version}`)}/samples`;

/** Indices spread evenly: sets are often sorted by class, and then the first samples are all of one. */
function places(dataset: Dataset, samples: number, turn: number): number[] {
  const shape = dataset.task === "forecast" ? [STRETCH, ...dataset.shape.slice(1)] : dataset.shape;
  const numbers = dataset.kind === "text" || dataset.kind === "corpus" ? 1 : shape.reduce((product, side) => product * side, 1);
  const many = Math.max(4, Math.min(SHOWN[dataset.kind] ?? FEW, Math.floor(MOST_NUMBERS / Math.max(1, numbers)), samples));
  const shown = Math.min(many, samples);
  const stride = samples / shown;
  // Every turn goes on inside the strides by the golden section, which never comes back to where it was.
  const offset = (turn * 0.6180339887) % 1;
  return Array.from({ length: shown }, (_, index) => Math.min(samples - 1, Math.floor((index + offset) * stride)));
}

/** Pictures and recordings are asked for as files; of the others their values are drawn. */
const drawn = (dataset: Dataset): boolean => dataset.kind !== "image" && dataset.kind !== "audio";

async function look(dataset: Dataset, split: string, indices: number[], signal: AbortSignal): Promise<Sample[]> {
  const one = async (index: number): Promise<Sample[]> => {
    const after = index ? `&after=${index - 1}` : "";
    const query = `split=${split}&limit=1&values=${drawn(dataset)}${after}`;
    const answer = await call<List<Sample>>(`${path(dataset)}?${query}`, { signal });
    return answer.body?.data ?? [];
  };
  return (await Promise.all(indices.map(one))).flat();
}

function Shown({ dataset, split, sample }: { dataset: Dataset; split: string; sample: Sample }) {
  const { values, label, index } = sample;
  const name = `${label}, sample ${index}`;
  if (dataset.kind === "image") {
    const [height = 1, width = 1] = dataset.shape;
    const source = `${path(dataset)}/${index}/image?split=${split}`;
    return <img src={source} alt={name} width={width} height={height} data-small={Math.max(height, width) < 100} />;
  }
  if (dataset.kind === "audio") return <audio controls preload="none" src={`${path(dataset)}/${index}/audio?split=${split}`} aria-label={name} />;
  if (typeof values === "string") return <blockquote>{values}</blockquote>;
  return <Drawing values={values as (number | number[])[]} span={dataset.task === "forecast" ? STRETCH : (dataset.lengths?.[1] ?? dataset.shape[0] ?? 1)} label={name} apart={dataset.task === "forecast"} />;
}

export function Samples({ dataset }: { dataset: Dataset }) {
  const splits = splitsOf(dataset);
  const split = useSignal(splits.at(-1)?.[0] ?? "train");
  const turn = useSignal(0);
  const shown = useSignal<Sample[] | null>(null);
  const problem = useSignal<Problem | undefined>(undefined);
  const held = dataset.splits[split.value] ?? 0;
  // of a table one sees stretches of rows, of a text pieces
  const samples = Math.ceil(held / (dataset.task === "forecast" ? STRETCH : dataset.task === "language" ? PIECE : 1));
  useEffect(() => {
    const abort = new AbortController();
    const load = async (): Promise<void> => {
      try {
        shown.value = await look(dataset, split.value, places(dataset, samples, turn.value), abort.signal);
        problem.value = undefined;
      } catch (error) {
        if (!abort.signal.aborted) problem.value = asProblem(error);
      }
    };
    void load();
    return () => abort.abort();
  }, [dataset.id, split.value, turn.value]);
  return (
    <section class="panel" aria-labelledby="samples">
      <div class="head small-head">
        <h2 id="samples">Samples</h2>
        <div class="filters" role="group" aria-label="Split">
          {splits.map(([name, all]) => (
            <button key={name} type="button" aria-pressed={name === split.value} onClick={() => (split.value = name)}>
              {name} <span class="small">{count(all)}</span>
            </button>
          ))}
        </div>
        {shown.value && samples > shown.value.length ? (
          <button type="button" onClick={() => (turn.value += 1)}>
            Show others
          </button>
        ) : null}
      </div>
      {shown.value ? (
        <ul class="samples" data-kind={dataset.kind} aria-label="Samples">
          {shown.value.map((sample) => (
            <li key={`${split.value} ${sample.index}`}>
              <Shown dataset={dataset} split={split.value} sample={sample} />
              <span class="small clip" title={sample.label}>
                {sample.label}
              </span>
            </li>
          ))}
        </ul>
      ) : (
        <Pending problem={problem.value} what="samples" />
      )}
    </section>
  );
}

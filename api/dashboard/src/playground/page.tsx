/** Draw a digit and see what a model makes of it. */
import { useComputed, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { call } from "../http";
import { percent } from "../number";
import { Pending, Trouble } from "../part/trouble";
import { useTitle } from "../part/title";
import { useResource } from "../poll";
import { go, href, route } from "../route";
import type { List, Model, ModelVersion, Sample } from "../wire";
import { Bars } from "./bars";
import { Board } from "./board";
import { useGuess } from "./guess";
import { paint, shrink, type Stroke } from "./picture";

/** The picture exactly as it is sent, pixel by pixel. */
function Seen({ rows }: { rows: number[][] | null }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    if (canvas.current) paint(canvas.current, rows ?? [[0]]);
  }, [rows]);
  return (
    <figure class="seen">
      <canvas ref={canvas} role="img" aria-label="What the model sees" />
      <figcaption class="muted small">what the model sees</figcaption>
    </figure>
  );
}

interface Real {
  rows: number[][];
  label: string;
}

/** One sample of the test split that the model was never trained on. */
async function drawSample(version: ModelVersion): Promise<Real | null> {
  const { name, version: number } = version.dataset;
  const list = await call<List<Sample>>(`/v1/datasets/${encodeURIComponent(`${name}@${number}`)}/samples?split=test&limit=100`);
  const samples = list.body?.data ?? [];
  const sample = samples[Math.floor(Math.random() * samples.length)];
  if (!sample) return null;
  const grey = (cell: number | number[]): number => (typeof cell === "number" ? cell : (cell[0] ?? 0));
  return { rows: sample.values.map((row) => row.map(grey)), label: sample.label };
}

function Answer({ model, version, drawn, real }: { model: string; version: ModelVersion; drawn: number[][] | null; real: Real | null }) {
  const rows = drawn ?? real?.rows ?? null;
  const { prediction, problem, rows: asked } = useGuess(model, rows);
  const [best] = prediction?.predictions ?? [];
  return (
    <section class="panel answer" aria-label="Answer">
      <div class="guess">
        <Seen rows={rows} />
        <p role="status" aria-live="polite" aria-busy={asked !== rows} data-answer={best?.class}>
          {best ? (
            <>
              <strong class="big">{best.class}</strong>
              <span class="muted">{percent(best.probability)} sure</span>
              {real && !drawn ? <span class="muted"> · it is a {real.label}</span> : null}
            </>
          ) : (
            <span class="muted">{rows ? "…" : "Draw something."}</span>
          )}
        </p>
      </div>
      {problem && !problem.passing ? <Trouble problem={problem} /> : null}
      <Bars classes={version.classes} prediction={prediction} />
      <p class="muted small">
        {prediction ? (
          <>
            Answered by <a href={href(["models", model])}>{model}</a> version {prediction.model_version}
          </>
        ) : (
          `${version.input.shape.join("×")} pixels, ${version.classes.length} classes`
        )}
      </p>
    </section>
  );
}

function Desk({ model, version }: { model: string; version: ModelVersion }) {
  const strokes = useSignal<Stroke[]>([]);
  const real = useSignal<Real | null>(null);
  const [height = 1, width = 1] = version.input.shape;
  const drawn = useComputed(() => (strokes.value.length ? shrink(strokes.value, height, width) : null));
  const clear = (): void => {
    strokes.value = [];
    real.value = null;
  };
  const sample = async (): Promise<void> => {
    clear();
    real.value = await drawSample(version).catch(() => null); // The banner says why; the board is simply empty.
  };
  return (
    <div class="desk">
      <div class="drawing">
        <Board
          strokes={strokes.value}
          change={(next) => {
            real.value = null;
            strokes.value = next;
          }}
        />
        <p id="board-keys" class="muted small">
          By keyboard: arrows move the pen, Space puts it down or lifts it, Delete clears.
        </p>
        <div class="buttons">
          <button type="button" onClick={clear}>
            Clear
          </button>
          <button type="button" onClick={() => void sample()}>
            A real test digit
          </button>
        </div>
      </div>
      <Answer model={model} version={version} drawn={drawn.value} real={real.value} />
    </div>
  );
}

export function PlaygroundPage() {
  useTitle("Playground");
  const { data, problem } = useResource<List<Model>>("/v1/models?limit=100", 5000);
  const ready = (data?.data ?? []).filter((model) => model.serves !== null);
  const asked = route.value.query.get("model");
  const model = ready.find((one) => one.name === asked) ?? ready[0];
  const version = useResource<ModelVersion>(model ? `/v1/models/${encodeURIComponent(model.name)}/versions/${model.serves}` : null);
  const picture = version.data?.input.kind === "image";
  return (
    <>
      <div class="head">
        <h1 tabIndex={-1}>Playground</h1>
        {ready.length ? (
          <label class="picker">
            <span>Model</span>
            <select value={model?.name} onChange={(event) => go(["playground"], { model: event.currentTarget.value })}>
              {ready.map(({ name }) => (
                <option key={name} value={name}>
                  {name}
                </option>
              ))}
            </select>
          </label>
        ) : null}
      </div>
      {!data || (model && !version.data) ? <Pending problem={problem ?? version.problem} what="models" /> : null}
      {data && !ready.length ? (
        <section class="empty">
          <h2>No model to play with yet</h2>
          <p>
            Train one on the digits; it answers here as soon as it has succeeded. <a href={href(["jobs", "new"])}>Start a training</a>
          </p>
        </section>
      ) : null}
      {model && version.data && picture ? <Desk key={`${model.name}:${version.data.version}`} model={model.name} version={version.data} /> : null}
      {version.data && !picture ? <p class="empty muted">This model does not read pictures.</p> : null}
    </>
  );
}

/** For models of grey pictures: draw one. */
import { useComputed, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { Answer, type Desk } from "./answer";
import { Board } from "./board";
import { paint, png, shrink, type Stroke } from "./picture";
import { drawSample } from "./sample";

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

export function DrawingDesk({ model, version }: Desk) {
  const strokes = useSignal<Stroke[]>([]);
  const real = useSignal<{ rows: number[][]; label: string } | null>(null);
  const [height = 1, width = 1] = version.input.shape;
  const drawn = useComputed(() => (strokes.value.length ? shrink(strokes.value, height, width) : null));
  const clear = (): void => {
    strokes.value = [];
    real.value = null;
  };
  const sample = async (): Promise<void> => {
    clear();
    const found = await drawSample(version).catch(() => null); // The banner says why; the board is simply empty.
    real.value = found && { rows: found.values as number[][], label: found.label };
  };
  const rows = drawn.value ?? real.value?.rows ?? null;
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
            A real test sample
          </button>
        </div>
      </div>
      <Answer
        model={model}
        version={version}
        question={rows}
        body={png}
        truth={drawn.value ? null : (real.value?.label ?? null)}
        invitation="Draw something."
      >
        <Seen rows={rows} />
      </Answer>
    </div>
  );
}

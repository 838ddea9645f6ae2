/** For models of series: give the numbers. */
import { useComputed, useSignal } from "@preact/signals";
import { Drawing } from "../data/drawing";
import { Answer, type Desk } from "./answer";
import { Numbers } from "./numbers";
import { drawSample } from "./sample";

type Series = number[] | number[][];

const asJson = (series: Series): Blob => new Blob([JSON.stringify({ inputs: [series] })], { type: "application/json" });

/** A number in as few digits as tell its 32-bit value from all others. */
function shortest(value: number): string {
  const digits = [6, 7, 8].find((some) => Math.fround(Number(value.toPrecision(some))) === value) ?? 9;
  return String(Number(value.toPrecision(digits)));
}

const written = (series: Series): string =>
  series.map((step) => (typeof step === "number" ? shortest(step) : step.map(shortest).join(", "))).join("\n");

/** One number after the other, or a line a step where a step has several; what is no number is said. */
function read(text: string, features: number): { series: Series | null; wrong: string | null } {
  const lines = features > 1 ? text.split("\n") : text.split(/[\s,;]+/);
  const steps = lines.map((line) => line.split(/[\s,;]+/).filter(Boolean)).filter((step) => step.length);
  const wrong = steps.flat().find((word) => !Number.isFinite(Number(word)));
  if (wrong !== undefined) return { series: null, wrong: `"${wrong}" is no number.` };
  if (!steps.length) return { series: null, wrong: null };
  const numbers = steps.map((step) => step.map(Number));
  return { series: features > 1 ? numbers : numbers.flat(), wrong: null };
}

export function SeriesDesk({ model, version }: Desk) {
  const [steps = 1, features = 1] = version.input.shape;
  const text = useSignal("");
  const truth = useSignal<string | null>(null);
  const found = useComputed(() => read(text.value, features));
  const sample = async (): Promise<void> => {
    const real = await drawSample(version).catch(() => null); // The banner says why.
    text.value = real ? written(real.values as Series) : "";
    truth.value = real?.label ?? null;
  };
  const { series, wrong } = found.value;
  return (
    <div class="desk">
      <div class="drawing">
        <Numbers
          label={features > 1 ? `Steps, one a line: ${features} numbers each` : "Numbers, one after the other"}
          text={text.value}
          wrong={wrong}
          change={(given) => {
            text.value = given;
            truth.value = null;
          }}
        />
        <div class="buttons">
          <button type="button" onClick={() => (text.value = "")}>
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
        question={series}
        body={asJson}
        truth={series ? truth.value : null}
        invitation="Give it some numbers."
      >
        <figure class="seen wide">
          <Drawing values={series ?? []} span={Math.max(steps, series?.length ?? 0)} label="The series that the model is asked about" />
        </figure>
      </Answer>
    </div>
  );
}

/** Windows of the test split: what was seen, what came, and what was foretold. */
import { count, measure } from "../number";
import type { Baseline, Forecast, TestScore } from "../result";

const WIDTH = 360;
const HEIGHT = 140;
const EDGE = 6;

type Run = { name: "seen" | "truth" | "forecast"; from: number; values: number[] };

interface Props {
  /** Which rows these are. */
  name: string;
  forecast: Pick<Forecast, "seen" | "truth" | "forecast">;
  target: string;
}

/** The three as lines on one scale; those that came and those foretold begin where the seen ones end. */
export function Picture({ name, forecast, target }: Props) {
  const seen = forecast.seen[target] ?? [];
  const last = seen.slice(-1);
  const runs: Run[] = [
    { name: "seen", from: 0, values: seen },
    { name: "truth", from: seen.length - last.length, values: [...last, ...(forecast.truth[target] ?? [])] },
    { name: "forecast", from: seen.length - last.length, values: [...last, ...(forecast.forecast[target] ?? [])] },
  ];
  const all = runs.flatMap(({ values }) => values);
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const steps = Math.max(...runs.map(({ from, values }) => from + values.length)) - 1;
  const place = (value: number, at: number): string => {
    const x = EDGE + (at / Math.max(1, steps)) * (WIDTH - 2 * EDGE);
    const y = EDGE + (high > low ? (high - value) / (high - low) : 0.5) * (HEIGHT - 2 * EDGE);
    return `${x.toFixed(1)},${y.toFixed(1)}`;
  };
  const said = `${target}, ${name}, from ${measure(low)} to ${measure(high)}`;
  return (
    <figure>
      <svg class="foretold" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={said}>
        {runs.map(({ name, from, values }) => (
          <polyline key={name} data-run={name} points={values.map((value, at) => place(value, from + at)).join(" ")} />
        ))}
      </svg>
      <figcaption class="muted small">
        {name[0]?.toUpperCase()}
        {name.slice(1)}: {measure(low)} to {measure(high)}
      </figcaption>
    </figure>
  );
}

export function Forecasts({ forecasts }: { forecasts: Forecast[] }) {
  const targets = Object.keys(forecasts[0]?.truth ?? {});
  return (
    <>
      {targets.map((target) => (
        <section key={target} aria-label={`Forecasts of ${target}`}>
          <h3>{target}</h3>
          <p class="muted small legend">
            <span data-run="seen">seen</span> <span data-run="truth">came</span> <span data-run="forecast">foretold</span>
          </p>
          <div class="pictures">
            {forecasts.map((forecast) => (
              <Picture key={forecast.window} name={`window ${count(forecast.window)}`} forecast={forecast} target={target} />
            ))}
          </div>
        </section>
      ))}
    </>
  );
}

/** Whether the network is better than taking the value of one season before. */
export function Compared({ test, baseline }: { test: TestScore; baseline: Baseline }) {
  const better = (test.rmse ?? Infinity) < baseline.rmse;
  const naive = baseline.season === 1 ? "the last value seen" : `the value ${count(baseline.season)} rows before`;
  const mase = (value: number | null | undefined): string => (value === null || value === undefined ? "" : `, MASE ${measure(value)}`);
  return (
    <p data-level={better ? undefined : "warning"}>
      {better ? "Better than" : "No better than"} {naive}, which has RMSE {measure(baseline.rmse)}
      {mase(baseline.mase)}; this one has RMSE {measure(test.rmse)}
      {mase(test.mase)}.
    </p>
  );
}

/** A series as a small drawing: a line for each feature, all on one scale or each on its own. */

const WIDTH = 240;
const HEIGHT = 80;
const EDGE = 4;
/** More points than pixels help nobody, and more lines than this are a thicket. */
const MOST_POINTS = 240;
const MOST_LINES = 12;

function extent(lines: number[][]): [number, number] {
  let [low, high] = [Infinity, -Infinity];
  for (const value of lines.flat()) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return low < high ? [low, high] : [low - 1, high + 1];
}

interface Props {
  values: (number | number[])[];
  /** So many steps fill the width, so that a shorter series is seen to be shorter. */
  span: number;
  label: string;
  /** Each feature on a scale of its own: the columns of a table are different things. */
  apart?: boolean;
}

export function Drawing({ values, span, label, apart }: Props) {
  const steps = values.map((step) => (typeof step === "number" ? [step] : step));
  const lines = (steps[0] ?? []).slice(0, MOST_LINES).map((_, feature) => steps.map((step) => step[feature] ?? 0));
  const whole = extent(lines);
  const stride = Math.max(1, Math.ceil(steps.length / MOST_POINTS));
  const place = (value: number, at: number, [low, high]: [number, number]): string => {
    const x = EDGE + (at / Math.max(1, span - 1)) * (WIDTH - 2 * EDGE);
    const y = EDGE + ((high - value) / (high - low)) * (HEIGHT - 2 * EDGE);
    return `${x.toFixed(1)},${y.toFixed(1)}`;
  };
  const drawn = (line: number[]): string => {
    const scale = apart ? extent([line]) : whole;
    return line.flatMap((value, at) => (at % stride ? [] : [place(value, at, scale)])).join(" ");
  };
  return (
    <svg class="drawing-of-series" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={label}>
      {lines.map((line, index) => (
        <polyline
          key={index}
          points={drawn(line)}
          style={{ "--of": index, "--lines": lines.length }}
        />
      ))}
    </svg>
  );
}

/** One drawing of measured series over steps. */
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { compact, measure } from "../number";
import { theme } from "../theme";
import type { Curves } from "./curves";

export interface Line {
  metric: string;
  label: string;
  /** Name of the colour: a custom property in theme.css. */
  colour: string;
  dots?: boolean;
}

interface Props {
  title: string;
  curves: Curves;
  version: number;
  lines: Line[];
  log?: boolean;
  /** Fixed ends of the scale, for ratios. */
  range?: [number, number];
}

const HEIGHT = 230;
/** More measured points than this are a line, not dots. */
const MOST_DOTS = 150;
const together = uPlot.sync("job");

function options(width: number, { curves, lines, log, range }: Props): uPlot.Options {
  const css = getComputedStyle(document.documentElement);
  const colour = (name: string): string => css.getPropertyValue(name).trim();
  const axis: uPlot.Axis = {
    gap: 6,
    stroke: colour("--muted"),
    grid: { stroke: colour("--line"), width: 1 },
    ticks: { show: false },
    font: "12px system-ui, sans-serif",
  };
  const format = (_: uPlot, values: (number | null)[]): string[] => values.map((value) => (value === null ? "" : measure(value)));
  return {
    width,
    height: HEIGHT,
    padding: [12, 20, 0, 0],
    cursor: { sync: { key: together.key, setSeries: false }, drag: { x: true, y: false }, points: { size: 7 } },
    scales: {
      x: { time: false },
      y: { distr: log ? 3 : 1, ...(range ? { range: (_: uPlot, low: number, high: number) => ratio(range, low, high) } : {}) },
    },
    axes: [
      { ...axis, size: 30, values: (_, values) => values.map((value) => (Number.isInteger(value) ? compact(value) : "")) },
      { ...axis, values: format, size: 58 },
    ],
    series: [
      { label: "step", value: (_, value) => (value === null ? "–" : compact(value)) },
      ...lines.map((line): uPlot.Series => ({
        label: line.label,
        stroke: colour(line.colour),
        width: line.dots ? 2 : 1.5,
        spanGaps: true,
        points: { show: () => Boolean(line.dots) && curves.size(line.metric).held <= MOST_DOTS, size: 5, fill: colour(line.colour) },
        value: (_, value) => measure(value),
      })),
    ],
    legend: { live: true },
    hooks: { setCursor: [settle] },
  };
}

/** While nobody points at the curves the legend shows the newest values. */
function settle(plot: uPlot): void {
  if ((plot.cursor.left ?? -1) >= 0) return;
  const newest = plot.data.map((column) => {
    let at = column.length - 1;
    while (at >= 0 && column[at] === undefined) at -= 1;
    return at >= 0 ? at : null;
  });
  plot.setLegend({ idxs: newest }, false);
}

/** A scale for ratios: ends at `range`, but starts closer when everything measured is high. */
function ratio([low, high]: [number, number], least: number, most: number): [number, number] {
  const floor = Number.isFinite(least) ? Math.max(low, Math.floor(least * 10) / 10) : low;
  return [Math.min(floor, high - 0.1), Math.max(high, most)];
}

/** What a curve says to somebody who does not see it. */
function spoken({ curves, lines }: Props): string {
  const said = lines.flatMap(({ metric, label }) => {
    const last = curves.last(metric);
    return last ? [`${label} ${measure(last.value)} at step ${last.step}`] : [];
  });
  return said.length ? said.join(", ") : "nothing measured yet";
}

function Extent({ curves, lines }: Props) {
  const { held, total } = curves.size(lines[0]?.metric ?? "");
  const last = curves.last(lines[0]?.metric ?? "");
  if (!last) return <span class="muted small">nothing measured yet</span>;
  const points = held === total ? `${compact(total)} points` : `${compact(held)} of ${compact(total)} points drawn`;
  return (
    <span class="muted small">
      {points} · to step {compact(last.step)}
    </span>
  );
}

export function Chart(props: Props) {
  const { title, curves, version, lines, log } = props;
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const names = lines.map((line) => line.metric);
  const scheme = theme.value;
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const width = (): number => Math.max(200, element.clientWidth);
    const made = new uPlot(options(width(), props), curves.columns(names) as uPlot.AlignedData, element);
    plot.current = made;
    settle(made);
    const watch = new ResizeObserver(() => made.setSize({ width: width(), height: HEIGHT }));
    watch.observe(element);
    return () => {
      watch.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [scheme, log, names.join()]);
  useEffect(() => {
    if (!plot.current) return;
    plot.current.setData(curves.columns(names) as uPlot.AlignedData);
    settle(plot.current);
  }, [version]);
  return (
    <figure class="chart panel" data-points={curves.size(names[0] ?? "").held} data-last={curves.last(names[0] ?? "")?.step}>
      <figcaption>
        <h3>{title}</h3>
        <Extent {...props} />
      </figcaption>
      <div ref={box} role="img" aria-label={`${title}: ${spoken(props)}`} />
    </figure>
  );
}

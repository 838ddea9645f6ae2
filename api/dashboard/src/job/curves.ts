/** The measured series of one job: every step once, whatever arrives in whatever order. */
import type { Metrics, Point } from "../wire";

interface Series {
  steps: number[];
  values: (number | null)[];
  /** Points that the service chose not to send, because the history was thinned out. */
  thinned: number;
}

/** Index of the first step that is not below `step`. */
function lower(steps: number[], step: number): number {
  let low = 0;
  let high = steps.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (steps[middle]! < step) low = middle + 1;
    else high = middle;
  }
  return low;
}

const finite = (value: number | null): number | null => (value !== null && Number.isFinite(value) ? value : null);

export class Curves {
  private series = new Map<string, Series>();

  replace(history: Metrics): void {
    this.series.clear();
    for (const { name, total, points } of history.data) {
      const steps = points.map(([step]) => step);
      const values = points.map(([, value]) => finite(value));
      this.series.set(name, { steps, values, thinned: Math.max(0, total - points.length) });
    }
  }

  add(points: Point[]): void {
    for (const { name, step, value } of points) {
      let series = this.series.get(name);
      if (!series) this.series.set(name, (series = { steps: [], values: [], thinned: 0 }));
      const at = lower(series.steps, step);
      const known = series.steps[at] === step;
      series.steps.splice(at, known ? 1 : 0, step);
      series.values.splice(at, known ? 1 : 0, finite(value));
    }
  }

  /** A new attempt starts from `step`: what came after it will be measured again. */
  rewind(step: number): void {
    for (const series of this.series.values()) {
      const keep = lower(series.steps, step + 1);
      series.steps.length = keep;
      series.values.length = keep;
    }
  }

  get points(): number {
    let all = 0;
    for (const series of this.series.values()) all += series.steps.length;
    return all;
  }

  has(name: string): boolean {
    return (this.series.get(name)?.steps.length ?? 0) > 0;
  }

  /** How many points of a series are held, and how many there are in all. */
  size(name: string): { held: number; total: number } {
    const series = this.series.get(name);
    const held = series?.steps.length ?? 0;
    return { held, total: held + (series?.thinned ?? 0) };
  }

  last(name: string): { step: number; value: number | null } | null {
    const series = this.series.get(name);
    const at = (series?.steps.length ?? 0) - 1;
    return series && at >= 0 ? { step: series.steps[at]!, value: series.values[at] ?? null } : null;
  }

  /** One column of steps and one of values a name; `undefined` where a series has no point at that step. */
  columns(names: string[]): [number[], ...(number | null | undefined)[][]] {
    const chosen = names.map((name) => this.series.get(name) ?? { steps: [], values: [] });
    const steps = [...new Set(chosen.flatMap((series) => series.steps))].sort((a, b) => a - b);
    const place = new Map(steps.map((step, index) => [step, index]));
    const columns = chosen.map((series) => {
      const column = new Array<number | null | undefined>(steps.length).fill(undefined);
      series.steps.forEach((step, index) => (column[place.get(step)!] = series.values[index]));
      return column;
    });
    return [steps, ...columns];
  }
}

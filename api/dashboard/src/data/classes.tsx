import { useSignal } from "@preact/signals";
import { count } from "../number";
import type { Dataset } from "../wire";
import { splitsOf } from "./words";

const FEW = 20;

/** How many samples of each class there are; a bar shows its share of the largest class. */
export function Classes({ dataset }: { dataset: Dataset }) {
  const all = useSignal(false);
  const { classes, findings } = dataset;
  const splits = splitsOf(dataset).map(([name]) => name);
  const counts = findings?.samples;
  const shown = all.value ? classes : classes.slice(0, FEW);
  const sum = (name: string): number => splits.reduce((total, split) => total + (counts?.[split]?.[name] ?? 0), 0);
  const most = counts ? Math.max(1, ...classes.map(sum)) : 1;
  return (
    <section class="panel" aria-labelledby="classes">
      <h2 id="classes">Classes</h2>
      {counts ? (
        <div class="scroll" tabIndex={0} role="region" aria-label="Classes, scrollable">
          <table class="counts">
            <thead>
              <tr>
                <th scope="col">Class</th>
                {splits.map((split) => (
                  <th key={split} scope="col" class="number">
                    {split}
                  </th>
                ))}
                <th scope="col" class="share">
                  <span class="unseen">Share of the largest class</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {shown.map((name) => (
                <tr key={name}>
                  <th scope="row" class="clip" title={name}>
                    {name}
                  </th>
                  {splits.map((split) => (
                    <td key={split} class="number">
                      {count(counts[split]?.[name] ?? 0)}
                    </td>
                  ))}
                  <td class="share" aria-hidden="true">
                    <span class="track">
                      <span class="fill" style={{ "--part": sum(name) / most }} />
                    </span>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      ) : (
        <ul class="names">
          {shown.map((name) => (
            <li key={name} class="chip">
              {name}
            </li>
          ))}
        </ul>
      )}
      {shown.length < classes.length ? (
        <button type="button" onClick={() => (all.value = true)}>
          All {count(classes.length)} classes
        </button>
      ) : null}
    </section>
  );
}

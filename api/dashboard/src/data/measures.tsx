import { measure } from "../number";
import type { Findings, Measured } from "../wire";

const parts = ["min", "mean", "max", "std"] as const;

/** What is known of numbers to foretell, or of the columns of a forecast's table, split by split. */
export function Measures({ findings, targets }: { findings: Findings; targets: string[] }) {
  const found = findings.columns ?? findings.targets ?? {};
  const rows = Object.entries(found).flatMap(([split, columns]) =>
    Object.entries(columns).map(([name, one]): [string, string, Measured] => [name, split, one]),
  );
  return (
    <section class="panel" aria-labelledby="measures">
      <h2 id="measures">Numbers</h2>
      <div class="scroll" tabIndex={0} role="region" aria-label="Numbers, scrollable">
        <table class="counts">
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col">Split</th>
              {parts.map((part) => (
                <th key={part} scope="col" class="number">
                  {part}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map(([name, split, one]) => (
              <tr key={`${name} ${split}`}>
                <th scope="row" class="clip" title={name}>
                  {name}
                  {findings.columns && targets.includes(name) ? " (foretold)" : ""}
                </th>
                <td>{split}</td>
                {parts.map((part) => (
                  <td key={part} class="number">
                    {measure(one[part])}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

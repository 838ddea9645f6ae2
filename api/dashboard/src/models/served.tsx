/** What was served in the last hour, version by version. Nothing at all while nobody asks. */
import { count } from "../number";
import { Ago, span } from "../time";
import type { Served } from "../wire";

const time = (ms: number | null): string =>
  ms === null ? "–" : ms < 9.95 ? `${ms.toFixed(1)} ms` : span(ms / 1000);

function Row({ one }: { one: Served }) {
  return (
    <tr>
      <th scope="row" class="number">
        {one.version}
      </th>
      <td class="number">{count(one.requests)}</td>
      <td class="number">{count(one.samples)}</td>
      <td class="number">{count(one.errors)}</td>
      <td class="number">{time(one.p50_ms)}</td>
      <td class="number">{time(one.p95_ms)}</td>
      <td class="number">{time(one.p99_ms)}</td>
      <td>{one.last_request_at ? <Ago at={one.last_request_at} /> : "–"}</td>
    </tr>
  );
}

export function ServedTable({ served }: { served: Served[] }) {
  if (served.length === 0) return null;
  return (
    <section class="panel" aria-labelledby="served">
      <h2 id="served">Served in the last hour</h2>
      <div class="scroll" tabIndex={0} role="region" aria-label="Served in the last hour, scrollable">
        <table>
          <thead>
            <tr>
              <th scope="col">Version</th>
              <th scope="col" class="number">Requests</th>
              <th scope="col" class="number">Samples</th>
              <th scope="col" class="number">Errors</th>
              <th scope="col" class="number">Half within</th>
              <th scope="col" class="number">95 % within</th>
              <th scope="col" class="number">99 % within</th>
              <th scope="col">Last asked</th>
            </tr>
          </thead>
          <tbody>
            {served.slice(0, 20).map((one) => (
              <Row key={one.version} one={one} />
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

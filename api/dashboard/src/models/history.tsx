import { useEffect } from "preact/hooks";
import { useResource } from "../poll";
import { Clock } from "../time";
import type { AliasMove, List } from "../wire";

const version = (number: number | null): string => (number === null ? "none" : `version ${number}`);

/** What was in production, since when, and who decided it. */
export function History({ path, again }: { path: string; again: number }) {
  const { data, refresh } = useResource<List<AliasMove>>(`${path}/aliases/production/history?limit=50`, 10_000);
  useEffect(refresh, [again]);
  if (!data?.data.length) return null;
  return (
    <section class="panel" aria-labelledby="history">
      <h2 id="history">What was in production</h2>
      <ol class="timeline">
        {data.data.map((move) => (
          <li key={move.at + String(move.to)} data-level="info">
            <Clock at={move.at} />
            <span class="said">
              {version(move.from)} → <strong>{version(move.to)}</strong>
              <span class="muted">
                {" "}
                by {move.by}
                {move.reason ? `: ${move.reason}` : ""}
              </span>
            </span>
          </li>
        ))}
      </ol>
    </section>
  );
}

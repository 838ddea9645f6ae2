/** For models that answer with numbers: how to ask them from a shell. */
import { shapeWords } from "../data/words";
import { count } from "../number";
import { Copy } from "../part/copy";
import type { Desk } from "./answer";

export function CommandDesk({ model, version }: Desk) {
  const { input, columns, targets, task, preprocessing } = version;
  const [rows = 1] = input.shape;
  const named = (targets ?? []).join(", ");
  const horizon = (preprocessing?.["targets"] as { horizon?: number | null } | null)?.horizon;
  const sample = columns ? `[[${columns.join(", ")}], … ${count(rows)} rows]` : input.kind === "text" ? '"…"' : "[…]";
  const command = `curl -sS ${location.origin}/v1/models/${model}:predict -H 'Content-Type: application/json' -d '{"inputs": [${sample}]}'`;
  return (
    <section class="panel" aria-label="How to ask">
      <p>
        This model foretells {named || "numbers"}
        {task === "forecast" && horizon ? ` for the next ${count(horizon)} rows` : ""}. There is no desk for it yet; ask it from a shell, with
        the numbers in the place of the dots:
      </p>
      <Copy text={command} label="The command" />
      <p class="muted small">
        {columns
          ? `Each input is ${count(rows)} rows in the order of time, with the columns ${columns.join(", ")}.`
          : `Each input is a sample as the data set has them: ${shapeWords({ ...input, lengths: null, rate: null })}.`}
      </p>
    </section>
  );
}

/** For models that answer with numbers: how to ask them from a shell. */
import { shapeWords } from "../data/words";
import { Copy } from "../part/copy";
import type { Desk } from "./answer";

export function CommandDesk({ model, version }: Desk) {
  const { input, targets } = version;
  const named = (targets ?? []).join(", ");
  const sample = input.kind === "text" ? '"…"' : "[…]";
  const command = `curl -sS ${location.origin}/v1/models/${model}:predict -H 'Content-Type: application/json' -d '{"inputs": [${sample}]}'`;
  return (
    <section class="panel" aria-label="How to ask">
      <p>
        This model foretells {named || "numbers"}. There is no desk for it yet; ask it from a shell, with the numbers in the place of the
        dots:
      </p>
      <Copy text={command} label="The command" />
      <p class="muted small">
        {`Each input is a sample as the data set has them: ${shapeWords({ ...input, lengths: null, rate: null })}.`}
      </p>
    </section>
  );
}

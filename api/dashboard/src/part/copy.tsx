import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";

/** Text to take away: a block with a copy button. Without clipboard access (plain HTTP) the text is selected instead. */
export function Copy({ text, label }: { text: string; label: string }) {
  const block = useRef<HTMLPreElement>(null);
  const said = useSignal("");
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text);
      said.value = "Copied";
    } catch {
      if (block.current) getSelection()?.selectAllChildren(block.current);
      said.value = "Selected: press Ctrl+C";
    }
    setTimeout(() => (said.value = ""), 2500);
  };
  return (
    <div class="copy">
      <pre ref={block} tabIndex={0} role="region" aria-label={label}>
        {text}
      </pre>
      <button type="button" onClick={() => void copy()}>
        {said.value || "Copy"}
      </button>
      <span class="unseen" role="status">
        {said.value}
      </span>
    </div>
  );
}

/** For models of texts: write one. */
import { useSignal } from "@preact/signals";
import { Answer, type Desk } from "./answer";
import { drawSample } from "./sample";

const asText = (text: string): Blob => new Blob([text], { type: "text/plain" });

export function TextDesk({ model, version }: Desk) {
  const text = useSignal("");
  const truth = useSignal<string | null>(null);
  const sample = async (): Promise<void> => {
    const found = await drawSample(version).catch(() => null); // The banner says why.
    text.value = found ? String(found.values) : "";
    truth.value = found?.label ?? null;
  };
  return (
    <div class="desk">
      <div class="drawing">
        <label class="field">
          <span>Text</span>
          <textarea
            rows={8}
            value={text.value}
            onInput={(event) => {
              text.value = event.currentTarget.value;
              truth.value = null;
            }}
          />
        </label>
        <div class="buttons">
          <button type="button" onClick={() => (text.value = "")}>
            Clear
          </button>
          <button type="button" onClick={() => void sample()}>
            A real test sample
          </button>
        </div>
      </div>
      <Answer
        model={model}
        version={version}
        question={text.value.trim() ? text.value : null}
        body={asText}
        truth={text.value ? truth.value : null}
        invitation="Write something."
      />
    </div>
  );
}

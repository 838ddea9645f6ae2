import { useSignal } from "@preact/signals";
import { ofDrop, ofInput } from "./chosen";
import type { Named } from "./tar";

interface Props {
  take: (files: Named[]) => void;
  /** What was dropped cannot be read. */
  fail: (error: unknown) => void;
}

/** Where files are dropped, or chosen by the browser's own dialogs. */
export function DropZone({ take, fail }: Props) {
  const over = useSignal(false);
  const hold = (event: DragEvent): void => {
    event.preventDefault();
    over.value = true;
  };
  const drop = (event: DragEvent): void => {
    event.preventDefault();
    over.value = false;
    if (event.dataTransfer) void ofDrop(event.dataTransfer).then(take, fail);
  };
  const choose = (event: Event & { currentTarget: HTMLInputElement }): void => {
    const { files } = event.currentTarget;
    if (files?.length) take(ofInput(files));
    event.currentTarget.value = ""; // so that the same files can be chosen again
  };
  return (
    <div class="drop" data-over={over.value} onDragOver={hold} onDragLeave={() => (over.value = false)} onDrop={drop}>
      <p>
        <strong>Drop files or a folder here</strong>
      </p>
      <p class="muted small">
        Pictures, recordings or texts in a folder a class, a zip or tar of them, IDX as MNIST has it, NumPy npz, CSV, TSV, JSONL or .ts.
      </p>
      <div class="buttons">
        <label class="button">
          Choose files
          <input class="unseen" type="file" multiple onChange={choose} />
        </label>
        <label class="button">
          Choose a folder
          <input
            class="unseen"
            type="file"
            ref={(element) => element?.setAttribute("webkitdirectory", "")}
            onChange={choose}
          />
        </label>
      </div>
    </div>
  );
}

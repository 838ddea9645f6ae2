import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { asProblem, type Problem } from "../http";
import { Trouble } from "./trouble";

interface Props {
  title: string;
  action: string;
  danger?: boolean;
  /** Runs when confirmed; the dialog closes unless it throws. */
  confirm: (form: FormData) => Promise<void>;
  close: () => void;
  children: ComponentChildren;
}

/** A question that must be answered first. Escape and "Keep" close it; the browser holds the focus inside. */
export function Dialog({ title, action, danger, confirm, close, children }: Props) {
  const box = useRef<HTMLDialogElement>(null);
  const name = useId();
  const busy = useSignal(false);
  const problem = useSignal<Problem | null>(null);
  useEffect(() => box.current?.showModal(), []);
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    busy.value = true;
    problem.value = null;
    try {
      await confirm(new FormData(event.target as HTMLFormElement));
      box.current?.close();
    } catch (error) {
      problem.value = asProblem(error);
    } finally {
      busy.value = false;
    }
  };
  return (
    <dialog ref={box} aria-labelledby={name} onClose={close}>
      <form onSubmit={(event) => void submit(event)}>
        <h2 id={name}>{title}</h2>
        {children}
        {problem.value ? <Trouble problem={problem.value} /> : null}
        <div class="buttons">
          <button type="button" onClick={() => box.current?.close()}>
            Not now
          </button>
          <button type="submit" class={danger ? "danger" : "primary"} disabled={busy.value}>
            {action}
          </button>
        </div>
      </form>
    </dialog>
  );
}

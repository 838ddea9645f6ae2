/** For language models: a prompt, and what the model makes of it, as it is written. */
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { asProblem, type Problem } from "../http";
import { plural } from "../number";
import { Field } from "../part/field";
import { Trouble } from "../part/trouble";
import { href } from "../route";
import type { JsonObject } from "../wire";
import type { Desk } from "./answer";
import { write, type Written } from "./writing";

/** Everything as typed; empty means the service's choice. */
const usual = { max_tokens: "300", temperature: "0.8", top_k: "", seed: "" };

/** Text that is no number goes out as it is: the service says what is wrong with it, beside the field. */
function wished(prompt: string, typed: typeof usual): JsonObject {
  const given = Object.entries(typed).filter(([, text]) => text.trim() !== "");
  return { prompt, ...Object.fromEntries(given.map(([name, text]) => [name, Number.isFinite(Number(text)) ? Number(text) : text])) };
}

export function PromptDesk({ model, version }: Desk) {
  const prompt = useSignal("");
  const typed = useSignal(usual);
  const read = useSignal("");
  const text = useSignal("");
  const ended = useSignal<Written | null>(null);
  const problem = useSignal<Problem | null>(null);
  const running = useSignal<AbortController | null>(null);
  const paper = useRef<HTMLDivElement>(null);
  const busy = running.value !== null;

  useEffect(() => () => running.value?.abort(), []);
  useEffect(() => {
    if (busy && paper.current) paper.current.scrollTop = paper.current.scrollHeight;
  }, [text.value]);

  const start = async (): Promise<void> => {
    const mine = new AbortController();
    running.value = mine;
    read.value = prompt.value;
    text.value = "";
    ended.value = problem.value = null;
    try {
      ended.value = await write(model, wished(prompt.value, typed.value), (piece) => (text.value += piece), mine.signal);
    } catch (error) {
      if (!mine.signal.aborted) problem.value = asProblem(error);
    } finally {
      if (running.value === mine) running.value = null;
    }
  };
  const stop = (): void => {
    running.value?.abort();
    running.value = null;
  };
  const field = (name: keyof typeof usual) => ({
    name,
    value: typed.value[name],
    set: (value: string) => (typed.value = { ...typed.value, [name]: value }),
    numeric: true,
    error: problem.value?.errors.find(({ pointer }) => pointer === `#/${name}`)?.detail,
  });
  const elsewhere = problem.value && !problem.value.errors.some(({ pointer }) => pointer.slice(2) in usual);
  return (
    <div class="desk">
      <form
        class="drawing"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          if (!busy) void start();
        }}
      >
        <label class="field">
          <span>Prompt</span>
          <textarea
            rows={6}
            value={prompt.value}
            spellcheck={false}
            aria-describedby="prompt-keys"
            onInput={(event) => (prompt.value = event.currentTarget.value)}
            onKeyDown={(event) => {
              if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) event.currentTarget.form?.requestSubmit();
            }}
          />
          <span id="prompt-keys" class="muted small">
            What to go on from; may be empty. Ctrl+Enter writes.
          </span>
        </label>
        <div class="four">
          <Field label="Tokens" {...field("max_tokens")} />
          <Field label="Temperature" {...field("temperature")} />
          <Field label="Top k" {...field("top_k")} />
          <Field label="Seed" {...field("seed")} />
        </div>
        <p class="muted small">
          Temperature 0 takes the likeliest token each time, 1 draws by the model's own probabilities. Top k empty: any token may come. The
          same seed gives the same text.
        </p>
        <div class="buttons">
          <button type="submit" class="primary" disabled={busy}>
            Write
          </button>
          <button type="button" disabled={!busy} onClick={stop}>
            Stop
          </button>
        </div>
      </form>
      <section class="panel answer" aria-label="Text" aria-busy={busy}>
        {elsewhere && problem.value ? <Trouble problem={problem.value} /> : null}
        <div class="paper" ref={paper} tabIndex={0} role="region" aria-label="What was written">
          {read.value || text.value ? (
            <>
              <span class="muted">{read.value}</span>
              <span data-written>{text.value}</span>
            </>
          ) : (
            <span class="muted">{busy ? "…" : "What the model writes appears here."}</span>
          )}
        </div>
        <p class="muted small" role="status">
          {ended.value ? (
            <>
              {plural(ended.value.tokens, "token")} by <a href={href(["models", model])}>{model}</a> version {ended.value.model_version}, seed{" "}
              {ended.value.seed}
            </>
          ) : busy ? (
            "Writing …"
          ) : (
            `Version ${version.version} goes on with a text.`
          )}
        </p>
      </section>
    </div>
  );
}

/** A form for a new training. Whatever the service refuses is said beside the field that caused it. */
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { asProblem, call, get, type Problem } from "../http";
import { useIdempotencyKey } from "../key";
import { Copy } from "../part/copy";
import { Choice, Field } from "../part/field";
import { Trouble } from "../part/trouble";
import { useTitle } from "../part/title";
import { useResource } from "../poll";
import { go, href, route } from "../route";
import { session } from "../session";
import type { Dataset, Job, List } from "../wire";
import { blank, body, curl, draftOf, fieldOf, fitted, type Draft } from "./request";

/** `#/jobs/new?from=<job>` starts from that job's own settings, `?dataset=<reference>` from what fits that data set. */
function usePrefill(set: (draft: Draft) => void): void {
  const from = route.value.query.get("from");
  const dataset = route.value.query.get("dataset");
  useEffect(() => {
    if (!dataset) return;
    const load = async (): Promise<void> => set(fitted(blank, await get<Dataset>(`/v1/datasets/${encodeURIComponent(dataset)}`)));
    load().catch(() => undefined); // As below.
  }, [dataset]);
  useEffect(() => {
    if (!from) return;
    const load = async (): Promise<void> => {
      const job = await get<Job>(`/v1/jobs/${encodeURIComponent(from)}`);
      if (job.kind === "train") set(draftOf(job));
    };
    load().catch(() => undefined); // The form simply stays as it is when that job is gone.
  }, [from]);
}

function byField(problem: Problem | null): { at: Partial<Record<keyof Draft, string>>; elsewhere: string[] } {
  const at: Partial<Record<keyof Draft, string>> = {};
  const elsewhere: string[] = [];
  for (const { pointer, detail } of problem?.errors ?? []) {
    const field = fieldOf(pointer);
    if (field) at[field] = at[field] ? `${at[field]} ${detail}` : detail;
    else elsewhere.push(`${pointer.replace(/^#\//, "")}: ${detail}`);
  }
  return { at, elsewhere };
}

export function NewJobPage() {
  useTitle("New training");
  const draft = useSignal<Draft>(blank);
  const problem = useSignal<Problem | null>(null);
  const busy = useSignal(false);
  const form = useRef<HTMLFormElement>(null);
  const keyFor = useIdempotencyKey();
  usePrefill((next) => (draft.value = next));
  const datasets = useResource<List<Dataset>>("/v1/datasets?limit=100");
  const value = draft.value;
  // Of what kind the chosen one is, though it may be an old version or beyond the first page of the list.
  const one = useResource<Dataset>(value.dataset ? `/v1/datasets/${encodeURIComponent(value.dataset)}` : null).data;
  const kind = one?.kind ?? "image";
  const lengths = one?.lengths ?? null;
  const { at, elsewhere } = byField(problem.value);
  const set = (name: keyof Draft) => (text: string) => {
    draft.value = { ...draft.value, [name]: text };
  };
  const choose = (name: string): void => {
    const found = datasets.data?.data.find((dataset) => dataset.name === name);
    draft.value = found ? fitted(draft.value, found, name) : { ...draft.value, dataset: name };
  };
  const field = (name: keyof Draft) => ({ name, value: value[name], set: set(name), error: at[name] });

  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    if (busy.value) return;
    busy.value = true;
    problem.value = null;
    const request = body(draft.value, kind, lengths);
    try {
      const headers = { "idempotency-key": keyFor(JSON.stringify(request)) };
      const answer = await call<Job>("/v1/jobs", { method: "POST", json: request, headers });
      if (answer.body) go(["jobs", answer.body.id]);
    } catch (error) {
      problem.value = asProblem(error);
      // Once the messages are drawn, the keyboard goes to the first field that has one.
      requestAnimationFrame(() => form.current?.querySelector<HTMLElement>("[aria-invalid=true], .trouble")?.focus());
    } finally {
      busy.value = false;
    }
  };

  const names = new Set((datasets.data?.data ?? []).map((one) => one.name));
  const choices = [...new Set([value.dataset, ...names])];
  return (
    <>
      <p class="crumb">
        <a href={href(["jobs"])}>Jobs</a>
      </p>
      <h1 tabIndex={-1}>New training</h1>
      <form ref={form} class="new-job" noValidate onSubmit={(event) => void submit(event)}>
        <section class="panel">
          <fieldset>
            <legend>What</legend>
            <Choice label="Data set" options={choices} {...field("dataset")} set={choose} />
            <Field label="Model" hint="Registers a version under this name. Empty: none." {...field("model")} />
          </fieldset>
          <fieldset>
            <legend>Network</legend>
            <Family kind={kind} value={value.family} set={set("family")} />
            {kind === "text" || kind === "corpus" ? (
              <Choice label="Tokens" hint="What texts are cut into." options={["char", "word", "byte"]} {...field("tokens")} />
            ) : null}
            {value.family === "cnn" ? (
              <>
                <Field label="Channels" hint={`One number a stage: ${kernels(kind)} convolution, then pooling.`} {...field("channels")} />
                {kind === "image" ? <Field label="Resize to" hint="Pixels a side. Empty: as the data is." {...field("resize")} /> : null}
              </>
            ) : (
              <>
                <Choice label="Cell" options={["elman", "gru", "lstm"]} {...field("cell")} />
                <Field label="Hidden size" numeric {...field("hidden")} />
                <Field label="Layers" numeric {...field("layers")} />
              </>
            )}
          </fieldset>
          <fieldset>
            <legend>Training</legend>
            <Field label="Epochs" numeric {...field("epochs")} />
            {value.optimizer === "gd" ? null : <Field label="Batch size" numeric {...field("batch")} />}
            <Choice label="Optimizer" options={["adam", "adamw", "sgd", "rmsprop", "gd"]} {...field("optimizer")} />
            <Field label="Learning rate" numeric hint="Empty: the optimizer's usual one." {...field("rate")} />
            <Field label="Seed" numeric {...field("seed")} />
            <Field label="Priority" numeric hint="-100 to 100; larger goes first." {...field("priority")} />
          </fieldset>
          {problem.value ? (
            <Trouble problem={problem.value}>
              {elsewhere.length ? <ul>{elsewhere.map((line) => <li key={line}>{line}</li>)}</ul> : null}
            </Trouble>
          ) : null}
          <div class="buttons">
            <button type="submit" class="primary" disabled={busy.value}>
              {busy.value ? "Submitting …" : "Start training"}
            </button>
            <a class="button" href={href(["jobs"])}>
              Back
            </a>
          </div>
        </section>
        <aside class="panel" aria-label="The same as a command">
          <h2>The same from a shell</h2>
          <Copy label="The same as a command" text={curl(body(value, kind, lengths), session.value?.keys_required ?? false)} />
        </aside>
      </form>
    </>
  );
}

const reads: Record<string, string> = {
  image: "reads the image row by row",
  series: "reads the series step by step",
  text: "reads the text token by token",
  audio: "reads the recording moment by moment",
  corpus: "goes on with the text token by token",
};

const wholes: Record<string, string> = {
  image: "looks at the image as a whole",
  series: "looks for patterns along the series",
  text: "looks for patterns along the text",
  audio: "looks at the spectrum as a whole",
};

const kernels = (kind: string): string => (kind === "image" || kind === "audio" ? "3×3" : "3-step");

/** The two families; both read data of every kind. */
function Family({ kind, value, set }: { kind: string; value: string; set: (text: string) => void }) {
  const families = [["cnn", "Convolutional", wholes[kind] ?? ""], ["rnn", "Recurrent", reads[kind] ?? ""]] as const;
  return (
    <div class="family" role="radiogroup" aria-label="Family">
      {families.map(([name, label, hint]) => (
        <label key={name}>
          <input type="radio" name="family" value={name} checked={value === name} onChange={() => set(name)} />
          <span>
            <strong>{label}</strong>
            <span class="muted small">{hint}</span>
          </span>
        </label>
      ))}
    </div>
  );
}

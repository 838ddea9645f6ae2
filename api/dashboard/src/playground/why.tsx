/** Why the model answers so: what each part of the question adds to its answer. */
import { useSignal } from "@preact/signals";
import { asProblem, call, type Problem } from "../http";
import { Trouble } from "../part/trouble";
import { href } from "../route";
import type { Explain, Explanation } from "./explanation";
import { Parts, Reading } from "./parts";

const METHODS = {
  kernel_shap: "Shapley values, sampled",
  exact_shapley: "Shapley values of few parts, exact",
  lime: "LIME",
  occlusion: "Occlusion",
  integrated_gradients: "Integrated gradients, by a worker",
};
type Method = keyof typeof METHODS;

interface Props<Question> {
  model: string;
  question: Question | null;
  body: (question: Question) => Blob | Promise<Blob>;
}

interface Asked<Question> {
  about: Question;
  method: Method;
  sent: Blob | null;
  text: string;
  found: Explanation | null;
  /** Where it will be found, when it takes longer. */
  job: string | null;
  problem: Problem | null;
}

export function Why<Question>({ model, question, body }: Props<Question>) {
  const method = useSignal<Method>("kernel_shap");
  const asked = useSignal<Asked<Question> | null>(null);
  // An explanation is of one question by one method: with another of either it is gone.
  const now = asked.value?.about === question && asked.value.method === method.value ? asked.value : null;
  const busy = now !== null && !now.found && !now.job && !now.problem;

  const ask = async (about: Question): Promise<void> => {
    const mine: Asked<Question> = { about, method: method.value, sent: null, text: "", found: null, job: null, problem: null };
    asked.value = mine;
    let answered: Asked<Question>;
    try {
      const sent = await body(about);
      const path = `/v1/models/${encodeURIComponent(model)}:explain?method=${mine.method}`;
      const answer = await call<Explanation | Explain>(path, { method: "POST", body: sent, headers: { prefer: "wait=20" } });
      const text = sent.type.startsWith("text/") ? await sent.text() : "";
      if (answer.body && "players" in answer.body) answered = { ...mine, sent, text, found: answer.body };
      else answered = { ...mine, job: answer.body?.id ?? null };
    } catch (error) {
      answered = { ...mine, problem: asProblem(error) };
    }
    if (asked.value === mine) asked.value = answered;
  };
  return (
    <section class="why" aria-label="Why">
      <div class="buttons">
        <button type="button" disabled={question === null || busy} onClick={() => question !== null && void ask(question)}>
          {busy ? "Asking…" : "Explain"}
        </button>
        <select
          aria-label="Method"
          value={method.value}
          onChange={(event) => (method.value = event.currentTarget.value as Method)}
        >
          {Object.entries(METHODS).map(([name, words]) => (
            <option key={name} value={name}>
              {words}
            </option>
          ))}
        </select>
      </div>
      {now?.job ? (
        <p class="muted">
          That takes a while; the explanation will be on <a href={href(["jobs", now.job])}>the page of its job</a>.
        </p>
      ) : null}
      {now?.problem ? <Trouble problem={now.problem} /> : null}
      {now?.found ? (
        <figure>
          <Parts explanation={now.found} sent={now.sent} text={now.text} />
          <Reading explanation={now.found} />
        </figure>
      ) : null}
    </section>
  );
}

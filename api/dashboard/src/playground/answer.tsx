import type { ComponentChildren } from "preact";
import { shapeWords } from "../data/words";
import { percent, plural } from "../number";
import { Trouble } from "../part/trouble";
import { href } from "../route";
import type { ModelVersion } from "../wire";
import { Bars } from "./bars";
import { useGuess } from "./guess";
import { Why } from "./why";

export interface Desk {
  model: string;
  version: ModelVersion;
}

interface Props<Question> extends Desk {
  question: Question | null;
  body: (question: Question) => Blob | Promise<Blob>;
  /** The class of a real sample that is asked about. */
  truth: string | null;
  /** What to do when there is no question. */
  invitation: string;
  /** What the model sees. */
  children?: ComponentChildren;
}

function reads({ input, preprocessing }: ModelVersion): string {
  if (input.kind === "text") return "texts";
  const varies = input.kind === "series" && preprocessing?.["variable"] === true;
  return (varies ? "up to " : "") + shapeWords({ ...input, lengths: null, rate: null });
}

/** What a model makes of a question. */
export function Answer<Question>({ model, version, question, body, truth, invitation, children }: Props<Question>) {
  const { prediction, problem, about } = useGuess(model, question, body);
  const [best] = prediction?.predictions ?? [];
  return (
    <section class="panel answer" aria-label="Answer">
      <div class="guess">
        {children}
        <p role="status" aria-live="polite" aria-busy={about !== question} data-answer={best?.class}>
          {best ? (
            <>
              <strong class="big">{best.class}</strong>
              <span class="muted">{percent(best.probability)} sure</span>
              {truth === null ? null : <span class="muted"> · its class is {truth}</span>}
            </>
          ) : (
            <span class="muted">{question === null ? invitation : "…"}</span>
          )}
        </p>
      </div>
      {problem && !problem.passing ? (
        <Trouble problem={problem}>
          {problem.errors.length ? <ul>{problem.errors.map(({ detail }) => <li key={detail}>{detail}</li>)}</ul> : null}
        </Trouble>
      ) : null}
      <Bars classes={version.classes} prediction={prediction} />
      <Why model={model} question={question} body={body} />
      <p class="muted small">
        {prediction ? (
          <>
            Answered by <a href={href(["models", model])}>{model}</a> version {prediction.model_version}
          </>
        ) : (
          `Reads ${reads(version)}; ${plural(version.classes.length, "class", "classes")}`
        )}
      </p>
    </section>
  );
}

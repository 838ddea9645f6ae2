/** Asking a model; only the newest question counts. */
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { asProblem, call, type Problem } from "../http";
import type { Guessed, Prediction } from "./prediction";

const WAIT_MS = 60;

export interface Guess<Question, Said = Guessed> {
  prediction: Prediction<Said> | null;
  problem: Problem | null;
  /** What was asked about: while it is not what is on the desk, a newer answer is on its way. */
  about: Question | null;
}

/**
 * The answer for a question, or nothing for none. `body` makes the request's body of it, whose type says what it is.
 * While one draws or types, at most one question is out.
 */
export function useGuess<Question, Said = Guessed>(
  model: string,
  question: Question | null,
  body: (question: Question) => Blob | Promise<Blob>,
): Guess<Question, Said> {
  const guess = useSignal<Guess<Question, Said>>({ prediction: null, problem: null, about: null });
  const abort = useRef<AbortController | null>(null);
  useEffect(() => {
    if (question === null || !model) {
      guess.value = { prediction: null, problem: null, about: question };
      return;
    }
    const timer = setTimeout(() => {
      const mine = new AbortController();
      abort.current = mine;
      const ask = async (): Promise<void> => {
        try {
          const path = `/v1/models/${encodeURIComponent(model)}:predict`;
          const answer = await call<Prediction<Said>>(path, { method: "POST", body: await body(question), signal: mine.signal });
          if (!mine.signal.aborted) guess.value = { prediction: answer.body, problem: null, about: question };
        } catch (error) {
          if (!mine.signal.aborted) guess.value = { prediction: null, problem: asProblem(error), about: question };
        }
      };
      void ask();
    }, WAIT_MS);
    return () => {
      clearTimeout(timer);
      abort.current?.abort();
    };
  }, [model, question]);
  return guess.value;
}

/** Asking a model about a picture; only the newest question counts. */
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { asProblem, call, type Problem } from "../http";
import type { Prediction } from "../wire";
import { png } from "./picture";

const WAIT_MS = 60;

export interface Guess {
  prediction: Prediction | null;
  problem: Problem | null;
  /** The picture that was asked about: while it is not the one on the board, a newer answer is on its way. */
  rows: number[][] | null;
}

/** The answer for `rows` (grey values), or nothing for an empty board. While one draws, at most one question is out. */
export function useGuess(model: string, rows: number[][] | null): Guess {
  const guess = useSignal<Guess>({ prediction: null, problem: null, rows: null });
  const abort = useRef<AbortController | null>(null);
  useEffect(() => {
    if (!rows || !model) {
      guess.value = { prediction: null, problem: null, rows };
      return;
    }
    const timer = setTimeout(() => {
      const mine = new AbortController();
      abort.current = mine;
      const ask = async (): Promise<void> => {
        try {
          const body = await png(rows);
          const path = `/v1/models/${encodeURIComponent(model)}:predict`;
          const answer = await call<Prediction>(path, { method: "POST", body, signal: mine.signal });
          if (!mine.signal.aborted) guess.value = { prediction: answer.body, problem: null, rows };
        } catch (error) {
          if (!mine.signal.aborted) guess.value = { prediction: null, problem: asProblem(error), rows };
        }
      };
      void ask();
    }, WAIT_MS);
    return () => {
      clearTimeout(timer);
      abort.current?.abort();
    };
  }, [model, rows]);
  return guess.value;
}

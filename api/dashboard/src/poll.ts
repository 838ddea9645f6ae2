/** Asking again and again, only while somebody looks. */
import { effect, signal } from "@preact/signals";
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { asProblem, get, revived, type Problem } from "./http";

export const visible = signal(document.visibilityState !== "hidden");
document.addEventListener("visibilitychange", () => {
  visible.value = document.visibilityState !== "hidden";
});

export interface Poll {
  now: () => void;
  stop: () => void;
}

/** Run `work` at once and then `every` milliseconds after it ended (0: only when asked); never twice at a time. */
export function poll(work: (signal: AbortSignal) => Promise<void>, every: number): Poll {
  const abort = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let busy = false;
  let again = false;
  const now = (): void => {
    clearTimeout(timer);
    if (abort.signal.aborted) return;
    if (busy) {
      again = true;
      return;
    }
    busy = true;
    void work(abort.signal).finally(() => {
      busy = false;
      if (again) {
        again = false;
        now();
      } else if (every > 0 && visible.value) timer = setTimeout(now, every);
    });
  };
  const unwatch = effect(() => {
    revived.value; // read: asks again when the service came back
    if (visible.value) now();
  });
  return {
    now,
    stop: () => {
      unwatch();
      clearTimeout(timer);
      abort.abort();
    },
  };
}

export interface Resource<T> {
  data: T | undefined;
  problem: Problem | undefined;
  refresh: () => void;
}

/** What a path answers now. Data that was there stays while the service is away; `null` asks nothing. */
export function useResource<T>(path: string | null, every = 0): Resource<T> {
  const state = useSignal<{ path: string | null; data?: T; problem?: Problem }>({ path: null });
  const running = useRef<Poll | null>(null);
  useEffect(() => {
    if (path === null) return;
    running.current = poll(async (signal) => {
      try {
        const data = await get<T>(path, signal);
        if (signal.aborted) return;
        if (state.peek().path !== path || state.peek().data !== data || state.peek().problem) state.value = { path, data };
      } catch (error) {
        if (signal.aborted) return;
        const problem = asProblem(error);
        const before = state.peek();
        const kept = before.path === path && problem.passing && before.data !== undefined;
        state.value = kept ? { path, data: before.data as T } : { path, problem };
      }
    }, every);
    return () => running.current?.stop();
  }, [path, every]);
  const mine = state.value.path === path ? state.value : { path };
  return { data: mine.data, problem: mine.problem, refresh: () => running.current?.now() };
}

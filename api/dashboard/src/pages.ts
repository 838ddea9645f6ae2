/** Lists that come in pages, newest first, as they are right now. */
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { asProblem, get, type Problem } from "./http";
import { poll } from "./poll";
import type { List } from "./wire";

interface Shown<T> {
  path: string;
  rows: T[];
  more: boolean;
}

export interface Pages<T> {
  shown: Shown<T> | null;
  problem: Problem | undefined;
  more: () => void;
  refresh: () => void;
}

/** Walks the cursors for as many pages as are open, so that a row that moves to the next page is never lost between two. */
async function load<T>(path: string, pages: number, signal: AbortSignal): Promise<Shown<T>> {
  const rows: T[] = [];
  let after = "";
  for (let page = 0; ; page += 1) {
    const list: List<T> = await get(`${path}${after}`, signal);
    rows.push(...list.data);
    if (page + 1 >= pages || !list.next_cursor) return { path, rows, more: list.has_more };
    after = `&after=${encodeURIComponent(list.next_cursor)}`;
  }
}

/** The rows of a list, whose path has a query already; asked for again `every` milliseconds. */
export function usePages<T>(path: string, every: number): Pages<T> {
  const shown = useSignal<Shown<T> | null>(null);
  const problem = useSignal<Problem | undefined>(undefined);
  const pages = useRef(1);
  const running = useRef<{ now: () => void } | null>(null);
  useEffect(() => {
    pages.current = 1;
    const loop = poll(async (signal) => {
      try {
        const found = await load<T>(path, pages.current, signal);
        if (signal.aborted) return;
        shown.value = found;
        problem.value = undefined;
      } catch (error) {
        if (!signal.aborted) problem.value = asProblem(error);
      }
    }, every);
    running.current = loop;
    return loop.stop;
  }, [path, every]);
  const refresh = (): void => running.current?.now();
  const more = (): void => {
    pages.current += 1;
    refresh();
  };
  return { shown: shown.value?.path === path ? shown.value : null, problem: problem.value, more, refresh };
}

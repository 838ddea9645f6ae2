/** Moments and spans as people read them; one clock for the whole page. */
import { signal } from "@preact/signals";
import { serverNow } from "./http";
import { visible } from "./poll";

export const now = signal(serverNow());
setInterval(() => {
  if (visible.value) now.value = serverNow();
}, 1000);

const hour = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const full = new Intl.DateTimeFormat("en-GB", { dateStyle: "long", timeStyle: "medium" });

/** `95` -> `1 min 35 s`; the two largest units only. */
export function span(seconds: number): string {
  if (seconds < 0.95) return `${Math.max(0, Math.round(seconds * 1000))} ms`;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const parts: [number, string][] = [
    [Math.floor(whole / 86_400), "d"],
    [Math.floor(whole / 3600) % 24, "h"],
    [Math.floor(whole / 60) % 60, "min"],
    [whole % 60, "s"],
  ];
  const first = parts.findIndex(([value]) => value > 0);
  const shown = parts.slice(first, first + 2).filter(([value]) => value > 0);
  return shown.map(([value, unit]) => `${value} ${unit}`).join(" ");
}

export const secondsBetween = (start: string, end: string | number): number =>
  (typeof end === "number" ? end : Date.parse(end)) / 1000 - Date.parse(start) / 1000;

/** Rounded seconds for what still moves: "12 s", not "12.3 s". */
const calm = (seconds: number): string => (seconds < 59.5 ? `${Math.max(1, Math.round(seconds))} s` : span(seconds));

function ago(seconds: number): string {
  if (seconds < 2) return "just now";
  if (seconds < 60) return `${Math.round(seconds)} s ago`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.round(seconds / 3600)} h ago`;
  return `${Math.round(seconds / 86_400)} d ago`;
}

export function Ago({ at }: { at: string }) {
  return (
    <time dateTime={at} title={full.format(new Date(at))}>
      {ago(secondsBetween(at, now.value))}
    </time>
  );
}

export function Until({ at }: { at: string }) {
  const left = -secondsBetween(at, now.value);
  return (
    <time dateTime={at} title={full.format(new Date(at))}>
      {left < 1 ? "any moment" : `in about ${calm(left)}`}
    </time>
  );
}

/** How long something has taken so far, or took. */
export function Took({ from, to }: { from: string; to: string | null }) {
  return <>{to ? span(secondsBetween(from, to)) : calm(secondsBetween(from, now.value))}</>;
}

/** The exact moment: the time of day, with its date unless that is today. */
export function Clock({ at }: { at: string }) {
  const moment = new Date(at);
  const today = moment.toDateString() === new Date(now.value).toDateString();
  return (
    <time dateTime={at} title={full.format(moment)}>
      {(today ? hour : day).format(moment)}
    </time>
  );
}

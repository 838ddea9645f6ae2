/** Idempotency-Keys. */
import { useRef } from "preact/hooks";

/** One key per request: sending the same text twice, or again after a lost answer, makes one job. */
export function useIdempotencyKey(): (text: string) => string {
  const last = useRef({ text: "", key: "" });
  return (text) => {
    if (last.current.text !== text) {
      const random = crypto.getRandomValues(new Uint8Array(16));
      last.current = { text, key: Array.from(random, (byte) => byte.toString(16).padStart(2, "0")).join("") };
    }
    return last.current.key;
  };
}

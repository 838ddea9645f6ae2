/** A language model's text as it comes: server-sent events of a POST, which EventSource cannot make. */
import { open, Problem } from "../http";
import type { JsonObject } from "../wire";

/** How a text ended. */
export interface Written {
  model_version: number;
  prompt_tokens: number;
  tokens: number;
  finish_reason: "length" | "stop";
  seed: number;
}

/** Messages of an event stream; a part of one waits for the rest. */
async function* messages(body: ReadableStream<Uint8Array>): AsyncGenerator<{ event: string; data: string }> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const parts = (rest + decoder.decode(value, { stream: true })).split("\n\n");
      rest = parts.pop() ?? "";
      for (const part of parts) {
        const fields = new Map(part.split("\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]));
        const data = fields.get("data");
        if (data !== undefined) yield { event: fields.get("event") ?? "message", data };
      }
    }
  } finally {
    reader.releaseLock();
  }
}

/** Have a model write; `show` is told each piece. Throws a `Problem`. */
export async function write(model: string, wish: JsonObject, show: (piece: string) => void, signal: AbortSignal): Promise<Written> {
  const headers = { accept: "text/event-stream" };
  const body = await open(`/v1/models/${encodeURIComponent(model)}:predict`, { method: "POST", json: wish, headers, signal });
  for await (const { event, data } of messages(body)) {
    if (event === "token") show((JSON.parse(data) as { text: string }).text);
    else if (event === "end") return JSON.parse(data) as Written;
    else if (event === "error") {
      const problem = JSON.parse(data) as { status: number; code: string; title: string; detail: string };
      throw new Problem(problem.status, problem);
    }
  }
  throw new Problem(0, { title: "Cut off", detail: "The text was cut off. The service may be restarting." });
}

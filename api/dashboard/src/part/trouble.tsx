import type { Problem } from "../http";

/** A problem, said once and kindly. */
export function Trouble({ problem, children }: { problem: Problem; children?: preact.ComponentChildren }) {
  return (
    <div class="trouble" role="alert">
      <strong>{problem.title}</strong>
      <p>{problem.message}</p>
      {children}
      {problem.requestId ? <p class="small muted">Request {problem.requestId}</p> : null}
    </div>
  );
}

/** In place of a room whose first answer is not there yet, or never came. */
export function Pending({ problem, what }: { problem: Problem | undefined; what: string }) {
  if (problem && !problem.passing) return <Trouble problem={problem} />;
  return (
    <p class="muted pending" role="status">
      Loading {what} …
    </p>
  );
}

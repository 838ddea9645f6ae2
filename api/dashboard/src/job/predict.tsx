/** A data set that a model version answers: how good the answers are, and the file with them. */
import { bytes, measure, plural } from "../number";
import { judged, type Answered, type Predict } from "../result";
import { span } from "../time";
import type { Feed } from "./feed";
import { Confusion } from "./result";
import { LogLines, Timeline } from "./timeline";

function Scores({ result }: { result: Answered }) {
  if (!result.scores) return <p class="muted">The answers are not scored: {result.scores_reason}.</p>;
  const [value, name] = judged(result.scores, 2);
  return (
    <div class="score">
      <span class="muted small">{name}</span>
      <strong>{value}</strong>
      {result.scores.mae === undefined ? null : <span class="muted small">MAE {measure(result.scores.mae)}</span>}
    </div>
  );
}

export function PredictBody({ job, path, feed }: { job: Predict; path: string; feed: Feed }) {
  const { result } = job;
  const { split, format } = job.predict;
  return (
    <>
      {result ? (
        <section class="panel" aria-labelledby="result">
          <h2 id="result">Result</h2>
          <div class="scores">
            <Scores result={result} />
            <p class="muted">
              {plural(result.rows, "row")} answered in {span(result.seconds)}.
            </p>
          </div>
          <div class="buttons">
            <a class="button primary" href={`${path}/predictions`} download>
              Download {format.toUpperCase()} ({bytes(result.size_bytes)})
            </a>
          </div>
          {result.confusion_matrix?.length ? (
            <Confusion matrix={result.confusion_matrix} classes={result.classes} of={split === "all" ? "all splits" : `the ${split} split`} />
          ) : null}
          <p class="muted small clip">
            SHA-256 <code>{result.sha256}</code>
          </p>
        </section>
      ) : null}
      <div class="columns">
        <Timeline feed={feed} />
        <LogLines feed={feed} />
      </div>
    </>
  );
}

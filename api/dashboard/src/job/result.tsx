import { count, measure, percent, plural } from "../number";
import { judged, type TestScore } from "../result";
import { span } from "../time";
import type { ClassScore, JobResult } from "../wire";
import { Compared, Forecasts } from "./forecasts";
import { Replayed } from "./replayed";

const why: Record<string, string> = {
  epochs: "all epochs done",
  steps: "all steps done",
  seconds: "its time was over",
  target: "the target was reached",
  early_stopping: "it no longer got better",
  checkpoint: "this is one of its checkpoints",
};

function Scores({ name, score }: { name: string; score: TestScore | null }) {
  if (!score) return null;
  const [value, what] = judged(score, 2);
  return (
    <div class="score">
      <span class="muted small">{name}</span>
      <strong>{value}</strong>
      <span class="muted small">
        {what === "accuracy" ? "" : `${what} · `}
        {score.perplexity === undefined ? "" : `perplexity ${measure(score.perplexity)} · `}
        {score.mae === undefined ? "" : `MAE ${measure(score.mae)} · `}
        {"r2" in score ? `R² ${measure(score.r2)} · ` : ""}loss {measure(score.loss)}
      </span>
    </div>
  );
}

/** The most frequent mistakes, in words. */
function mistakes(matrix: number[][], classes: string[]): string[] {
  const wrong = matrix.flatMap((row, truth) => row.map((times, said) => ({ truth, said, times })));
  const most = wrong.filter(({ truth, said, times }) => truth !== said && times > 0).sort((a, b) => b.times - a.times);
  return most.slice(0, 3).map(({ truth, said, times }) => `${classes[truth]} taken for ${classes[said]} (${plural(times, "time")})`);
}

/** Each row is scaled by its own sum, so that a rare class is as readable as a frequent one. */
export function Confusion({ matrix, classes, of }: { matrix: number[][]; classes: string[]; of: string }) {
  const worst = mistakes(matrix, classes);
  return (
    <>
      <div class="scroll" tabIndex={0} role="region" aria-label="Confusion matrix, scrollable">
        <table class="confusion">
          <caption>
            Confusion matrix of {of}: rows are what it is, columns what the network said.
          </caption>
          <thead>
            <tr>
              <td />
              {classes.map((name) => (
                <th key={name} scope="col">
                  {name}
                </th>
              ))}
              <th scope="col" class="recall">
                found
              </th>
            </tr>
          </thead>
          <tbody>
            {matrix.map((row, truth) => {
              const sum = row.reduce((total, times) => total + times, 0);
              return (
                <tr key={classes[truth]}>
                  <th scope="row">{classes[truth]}</th>
                  {row.map((times, said) => (
                    <td
                      key={said}
                      class={times === 0 ? "none" : said === truth ? "right" : "wrong"}
                      style={{ "--heat": sum ? Math.round((times / sum) * 100) : 0 }}
                    >
                      {times}
                    </td>
                  ))}
                  <td class="recall muted">{sum ? percent(row[truth]! / sum, 0) : "–"}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
      <p class="muted small">{worst.length ? `Most often: ${worst.join("; ")}.` : "No mistake at all."}</p>
    </>
  );
}

const ratio = (value: number | null): string => (value === null ? "–" : percent(value));

function Classes({ scores, test }: { scores: ClassScore[]; test: JobResult["test"] }) {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Scores by class, scrollable">
      <table class="classes">
        <caption>The test split, class by class.</caption>
        <thead>
          <tr>
            <th scope="col">Class</th>
            <th scope="col">Precision</th>
            <th scope="col">Recall</th>
            <th scope="col">F1</th>
            <th scope="col">AUROC</th>
            <th scope="col">Samples</th>
          </tr>
        </thead>
        <tbody>
          {scores.map((one) => (
            <tr key={one.class}>
              <th scope="row">{one.class}</th>
              <td>{ratio(one.precision)}</td>
              <td>{ratio(one.recall)}</td>
              <td>{ratio(one.f1)}</td>
              <td>{measure(one.auroc)}</td>
              <td>{count(one.support)}</td>
            </tr>
          ))}
        </tbody>
        <tfoot>
          <tr>
            <th scope="row" colSpan={3}>
              Mean over the classes
            </th>
            <td>{ratio(test?.macro_f1 ?? null)}</td>
            <td>{measure(test?.auroc)}</td>
            <td />
          </tr>
        </tfoot>
      </table>
    </div>
  );
}

export function Result({ result }: { result: JobResult }) {
  return (
    <section class="panel" aria-labelledby="result">
      <h2 id="result">Result</h2>
      {result.replay ? <Replayed replay={result.replay} /> : null}
      <div class="scores">
        <Scores name="Test" score={result.test} />
        <Scores name="Validation" score={result.validation} />
        <p class="muted">
          Best at step {count(result.best_step)} (epoch {count(result.best_epoch)}) of {count(result.steps)}. Stopped after{" "}
          {span(result.seconds)}: {why[result.stopped] ?? result.stopped}.
        </p>
      </div>
      {result.test && result.baseline ? <Compared test={result.test} baseline={result.baseline} /> : null}
      {result.forecasts?.length ? <Forecasts forecasts={result.forecasts} /> : null}
      <div class="measured">
        {result.confusion_matrix?.length ? (
          <div>
            <Confusion matrix={result.confusion_matrix} classes={result.classes} of="the test split" />
          </div>
        ) : null}
        {result.per_class?.length ? <Classes scores={result.per_class} test={result.test} /> : null}
      </div>
      <p class="muted small clip">
        Weights SHA-256 <code>{result.weights_sha256}</code>
      </p>
    </section>
  );
}

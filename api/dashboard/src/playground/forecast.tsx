/** For models of tables: give the last rows, see the next ones. */
import { useComputed, useSignal } from "@preact/signals";
import { Picture } from "../job/forecasts";
import { count, measure } from "../number";
import { Trouble } from "../part/trouble";
import { href } from "../route";
import type { Desk } from "./answer";
import { useGuess } from "./guess";
import { Numbers } from "./numbers";
import type { Foretold } from "./prediction";
import { drawRows } from "./sample";

type Rows = number[][];

const asCsv = (rows: Rows): Blob => new Blob([rows.map((row) => row.join(",")).join("\n")], { type: "text/csv" });
const numeric = (cell: string): boolean => cell !== "" && Number.isFinite(Number(cell));

/** The last `wanted` rows of a CSV; a first row of names, and a first column that says when, are left out. */
function read(text: string, features: number, wanted: number): { rows: Rows | null; wrong: string | null } {
  const lines = text.split(/\r?\n/).map((line) => line.split(/[,;\t]/).map((cell) => cell.trim()));
  const filled = lines.filter((cells) => cells.some(Boolean));
  if (filled[0] && !filled[0].some(numeric)) filled.shift();
  if (!filled.length) return { rows: null, wrong: null };
  const rows: Rows = [];
  for (const [at, cells] of filled.entries()) {
    const numbers = cells.length === features + 1 ? cells.slice(1) : cells;
    if (numbers.length !== features) return { rows: null, wrong: `Row ${count(at + 1)} has ${count(numbers.length)} of ${count(features)} numbers.` };
    const other = numbers.find((cell) => !numeric(cell));
    if (other !== undefined) return { rows: null, wrong: `Row ${count(at + 1)}: "${other}" is no number.` };
    rows.push(numbers.map(Number));
  }
  if (rows.length < wanted) return { rows: null, wrong: `These are ${count(rows.length)} of ${count(wanted)} rows.` };
  return { rows: rows.slice(-wanted), wrong: null };
}

interface AnswerProps extends Desk {
  rows: Rows | null;
  /** The rows that came next, where they are known. */
  truth: Rows;
}

function Next({ model, version, rows, truth }: AnswerProps) {
  const { prediction, problem, about } = useGuess<Rows, Foretold>(model, rows, asCsv);
  const columns = version.columns ?? [];
  const values = about === rows ? prediction?.predictions[0]?.values : undefined;
  const column = (from: Rows, target: string): number[] => from.map((row) => row[columns.indexOf(target)] ?? NaN);
  return (
    <section class="panel answer" aria-label="Answer">
      {rows === null ? <p class="muted">Give it the last rows of a table.</p> : null}
      {problem && !problem.passing ? <Trouble problem={problem} /> : null}
      {rows && values
        ? Object.entries(values).map(([target, said]) => {
            const next = Array.isArray(said) ? said : [said];
            const forecast = { seen: { [target]: column(rows, target) }, truth: { [target]: column(truth, target) }, forecast: { [target]: next } };
            return (
              <section key={target} aria-label={`Forecast of ${target}`}>
                <h3>{target}</h3>
                <p class="muted small legend">
                  <span data-run="seen">seen</span> {truth.length ? <span data-run="truth">came</span> : null}{" "}
                  <span data-run="forecast">foretold</span>
                </p>
                <Picture name={`the next ${count(next.length)} rows`} forecast={forecast} target={target} />
                <p role="status">{next.map(measure).join(", ")}</p>
              </section>
            );
          })
        : null}
      <p class="muted small">
        {prediction ? (
          <>
            Answered by <a href={href(["models", model])}>{model}</a> version {prediction.model_version}
          </>
        ) : (
          `Reads ${count(version.input.shape[0] ?? 1)} rows of ${columns.join(", ")}`
        )}
      </p>
    </section>
  );
}

export function ForecastDesk({ model, version }: Desk) {
  const [wanted = 1, features = 1] = version.input.shape;
  const horizon = (version.preprocessing?.["targets"] as { horizon?: number | null } | null)?.horizon ?? 0;
  const text = useSignal("");
  const truth = useSignal<Rows>([]);
  const found = useComputed(() => read(text.value, features, wanted));
  const change = (value: string): void => {
    text.value = value;
    truth.value = [];
  };
  const sample = async (): Promise<void> => {
    const rows = await drawRows(version, wanted + horizon, wanted).catch(() => []); // The banner says why.
    change(rows.slice(0, wanted).map((row) => row.join(", ")).join("\n"));
    truth.value = rows.slice(wanted);
  };
  const choose = async (event: Event & { currentTarget: HTMLInputElement }): Promise<void> => {
    const input = event.currentTarget;
    const [file] = input.files ?? [];
    if (file) change(await file.text());
    input.value = "";
  };
  const { rows, wrong } = found.value;
  return (
    <div class="desk">
      <div class="drawing">
        <Numbers
          label={`${count(wanted)} rows or more, one a line: ${(version.columns ?? []).join(", ")}`}
          text={text.value}
          wrong={wrong}
          change={change}
        />
        <div class="buttons">
          <label class="button">
            Choose a CSV
            <input class="unseen" type="file" accept=".csv,text/csv" onChange={(event) => void choose(event)} />
          </label>
          <button type="button" onClick={() => void sample()}>
            Real rows
          </button>
        </div>
      </div>
      <Next model={model} version={version} rows={rows} truth={truth.value} />
    </div>
  );
}

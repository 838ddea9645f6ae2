/** What an ingest found out about the files, in sentences. */
import type { ComponentChildren } from "preact";
import { count, plural } from "../number";
import type { Findings } from "../wire";

const SHOWN = 10;

/** The first of several, and how many more there are. */
function some(names: string[], all: number): string {
  const rest = all - Math.min(SHOWN, names.length);
  return names.slice(0, SHOWN).join(", ") + (rest > 0 ? ` and ${count(rest)} more` : "");
}

/** The samples that could not be read: an item of a list, or nothing. */
export function Skipped({ findings }: { findings: Findings }) {
  const { skipped = [], skipped_total = 0 } = findings;
  if (!skipped_total) return null;
  return (
    <li data-level="warning">
      {plural(skipped_total, "sample")} could not be read
      {findings.samples ? (skipped_total === 1 ? " and was left out" : " and were left out") : ""}.
      <details open={skipped_total <= 5}>
        <summary>{skipped.length < skipped_total ? `The first ${skipped.length}` : "Which, and why"}</summary>
        <ul class="named">
          {skipped.map(({ file, row, reason }) => (
            <li key={`${file} ${row}`}>
              <code>{file}</code>
              {row === undefined ? "" : `, row ${count(row)}`}: {reason}
            </li>
          ))}
        </ul>
      </details>
    </li>
  );
}

function Across({ count: times, examples }: { count: number; examples: Record<string, string>[] }) {
  if (!times) return null;
  return (
    <li data-level="warning">
      {plural(times, "sample")} that should be new to the network {times === 1 ? "is" : "are"} in the training split too, so what is
      measured there will flatter.
      <details>
        <summary>{examples.length < times ? `The first ${examples.length}` : "Which"}</summary>
        <ul class="named">
          {examples.map((pair, index) => (
            <li key={index}>
              {Object.entries(pair).map(([split, file], place) => (
                <>
                  {place ? " = " : ""}
                  {split} <code>{file}</code>
                </>
              ))}
            </li>
          ))}
        </ul>
      </details>
    </li>
  );
}

/** A sentence begins with a capital, but a file's name stays as it is. */
const sentence = (note: string): string => `${/^[a-z]+ /.test(note) ? note[0]!.toUpperCase() + note.slice(1) : note}.`;

/** The sentences, or nothing when there is nothing to say. */
function sentences(findings: Findings): ComponentChildren[] {
  const said: ComponentChildren[] = [];
  if (findings.skipped_total) said.push(<Skipped findings={findings} />);
  if (findings.duplicates_across_splits?.count) said.push(<Across {...findings.duplicates_across_splits} />);
  const single = findings.single_sample_classes ?? [];
  if (single.length) {
    said.push(<li data-level="warning">There is only one sample of {some(single, findings.single_sample_classes_total ?? single.length)}.</li>);
  }
  if (findings.duplicates_within_train) {
    said.push(<li>{plural(findings.duplicates_within_train, "sample")} of the training split repeat another one of it.</li>);
  }
  const ignored = findings.ignored_files ?? [];
  if (ignored.length) {
    const all = findings.ignored_files_total ?? ignored.length;
    said.push(<li>{`${plural(all, "file")} ${all === 1 ? "is no sample and was" : "are no samples and were"} ignored: ${some(ignored, all)}.`}</li>);
  }
  for (const [what, times] of Object.entries(findings.converted ?? {})) said.push(<li>{`${plural(times, "picture")} ${what}.`}</li>);
  for (const note of findings.notes ?? []) said.push(<li>{sentence(note)}</li>);
  return said;
}

export function FindingsPanel({ findings }: { findings: Findings }) {
  const said = sentences(findings);
  return (
    <section class="panel" aria-labelledby="findings">
      <h2 id="findings">What was found</h2>
      {said.length ? <ul class="findings">{said}</ul> : <p class="muted">Nothing that needs saying.</p>}
    </section>
  );
}

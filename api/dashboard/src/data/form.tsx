/** What is to be uploaded: the files, a name, and how they are to be read where that is not plain. */
import { Problem } from "../http";
import { bytes, count, plural } from "../number";
import { Choice, Field } from "../part/field";
import { Trouble } from "../part/trouble";
import { proposal } from "./chosen";
import { DropZone } from "./drop";
import type { Named } from "./tar";
import { blank, chosen, draft, fieldOf, refused, send, type Draft } from "./upload";

const SHOWN = 4;

function Chosen() {
  const files = chosen.value;
  const size = files.reduce((sum, { file }) => sum + file.size, 0);
  const names = files.slice(0, SHOWN).map(({ name }) => name);
  const rest = files.length - names.length;
  const another = (): void => {
    chosen.value = [];
    refused.value = null;
  };
  return (
    <div class="chosen">
      <p>
        <strong>{plural(files.length, "file")}</strong>, {bytes(size)}
        <span class="muted small"> · {names.join(", ") + (rest ? ` and ${count(rest)} more` : "")}</span>
      </p>
      <button type="button" onClick={another}>
        Choose others
      </button>
    </div>
  );
}

/** The refusals by field, and those that belong to none. */
function byField(): { at: Partial<Record<keyof Draft, string>>; elsewhere: string[] } {
  const at: Partial<Record<keyof Draft, string>> = {};
  const elsewhere: string[] = [];
  for (const { pointer, detail } of refused.value?.errors ?? []) {
    const field = fieldOf(pointer);
    if (field) at[field] = detail;
    else elsewhere.push(detail);
  }
  return { at, elsewhere };
}

function unread(detail: string): void {
  refused.value = new Problem(0, { title: "Nothing to upload", detail });
}

function take(files: Named[]): void {
  chosen.value = files;
  refused.value = null;
  if (!files.length) unread("There are no files in it.");
  else if (!draft.value.name) draft.value = { ...draft.value, name: proposal(files) };
}

export function UploadForm() {
  const value = draft.value;
  const { at, elsewhere } = byField();
  const set = (name: keyof Draft) => (text: string) => {
    draft.value = { ...draft.value, [name]: text };
  };
  const field = (name: keyof Draft) => ({ name, value: value[name], set: set(name), error: at[name] });
  if (!chosen.value.length) {
    return (
      <>
        <DropZone take={take} fail={(error) => unread(`It could not be read: ${String(error)}`)} />
        {refused.value ? <Trouble problem={refused.value} /> : null}
      </>
    );
  }
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    send();
  };
  const settled = Object.entries(value).some(([name, text]) => name !== "name" && text !== blank[name as keyof Draft]);
  return (
    <form class="upload" noValidate onSubmit={submit}>
      <Chosen />
      <fieldset>
        <Field label="Name" hint="Small letters, digits, and . _ - between them. The same name again makes its next version." {...field("name")} />
        <Field label="Source" hint="Where the samples come from, in your words. May be empty." {...field("source")} />
      </fieldset>
      <details open={settled || Object.keys(at).length > 0}>
        <summary>Settings, where the files do not say it themselves</summary>
        <fieldset>
          <Choice label="Kind" empty="found out" options={["", "image", "series", "text", "audio", "corpus"]} {...field("kind")} />
          <Choice label="To learn" empty="found out" options={["", "classification", "regression", "forecast"]} {...field("task")} />
          <Field label="Foretold columns" hint="Forecasts, separated by commas. Empty: the last column." {...field("target")} />
          <Choice label="Empty cells" hint="Forecasts." empty="refuse" options={["", "previous", "interpolate", "zero"]} {...field("missing")} />
          <Field label="Test share" numeric hint="Kept for the test, if the files bring no test split. Empty: 0.2, of one text its last 0.1." {...field("test")} />
          <Field label="Resize to" hint="Pictures of several sizes: pixels a side, or height, width." {...field("size")} />
          <Choice label="Colours" hint="1 grey, 3 colour, 4 with transparency." empty="as the files are" options={["", "1", "3", "4"]} {...field("channels")} />
          <Field label="Name pattern" hint="The class in file names, e.g. {label}_{rest}. Empty: the folder." {...field("pattern")} />
          <Field label="Label column" hint="Tables: the class, or a number to foretell. Empty: label, class, target or y." {...field("label")} />
          <Field label="Text column" hint="Tables. Empty: text, sentence, message, or the only one." {...field("text")} />
        </fieldset>
      </details>
      {refused.value ? (
        <Trouble problem={refused.value}>{elsewhere.length ? <ul>{elsewhere.map((line) => <li key={line}>{line}</li>)}</ul> : null}</Trouble>
      ) : null}
      <div class="buttons">
        <button type="submit" class="primary" disabled={!value.name.trim()}>
          Upload
        </button>
      </div>
    </form>
  );
}

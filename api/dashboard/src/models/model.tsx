/** One model: its versions, what serves, and what served before. */
import { useSignal } from "@preact/signals";
import { call } from "../http";
import { count, measure } from "../number";
import { Dialog } from "../part/dialog";
import { Pending } from "../part/trouble";
import { useTitle } from "../part/title";
import { useResource } from "../poll";
import { judged, type TestScore } from "../result";
import { href } from "../route";
import { Ago } from "../time";
import type { Alias, List, Model, ModelVersion } from "../wire";
import { AnswerDialog } from "./answer";
import { History } from "./history";
import { ServedTable } from "./served";

/** The column is mostly accuracies, which need no name. */
const words = (test: TestScore): string => {
  const [value, name] = judged(test, 2);
  return name === "accuracy" ? value : `${name} ${value}`;
};

interface RowProps {
  path: string;
  version: ModelVersion;
  aliases: string[];
  promote: () => void;
}

function VersionRow({ path, version, aliases, promote }: RowProps) {
  const files = `${path}/versions/${version.version}`;
  const { test } = version.metrics;
  return (
    <tr>
      <th scope="row" class="number">
        {version.version}
      </th>
      <td>
        {aliases.map((alias) => (
          <span key={alias} class="chip">
            {alias}
          </span>
        ))}
        {version.ready ? null : (
          <span class="wrong" title={version.reason ?? undefined}>
            not ready{version.reason ? `: ${version.reason}` : ""}
          </span>
        )}
      </td>
      <td class="number">{test ? words(test) : "–"}</td>
      <td class="number">{test ? measure(test.loss) : "–"}</td>
      <td class="number">{count(version.parameters)}</td>
      <td>
        {version.job ? <a href={href(["jobs", version.job])}>step {count(version.checkpoint_step)}</a> : "deleted job"}
      </td>
      <td>
        <Ago at={version.created_at} />
      </td>
      <td>
        {version.ready ? (
          <a href={`${files}/onnx`} download aria-label={`Download the ONNX file of version ${version.version}`}>
            ONNX
          </a>
        ) : null}{" "}
        <a href={`${files}/weights`} download aria-label={`Download the weights of version ${version.version}`}>
          weights
        </a>
      </td>
      <td>
        {version.ready && !aliases.includes("production") ? (
          <button type="button" onClick={promote} aria-label={`Promote version ${version.version} to production`}>
            Promote
          </button>
        ) : null}
      </td>
    </tr>
  );
}

/** Point `production` at a version; If-Match refuses when somebody else has moved it since. */
async function promote(path: string, version: number, exists: boolean, reason: string): Promise<void> {
  const headers: Record<string, string> = {};
  if (exists) {
    const now = await call<Alias>(`${path}/aliases/production`);
    const etag = now.headers.get("etag");
    if (etag) headers["if-match"] = etag;
  }
  const json = reason ? { version, reason } : { version };
  await call(`${path}/aliases/production`, { method: "PUT", json, headers });
}

function Reason() {
  return (
    <label class="field">
      <span>Reason, for the history</span>
      <input name="reason" maxLength={200} autocomplete="off" />
    </label>
  );
}

export function ModelPage({ name }: { name: string }) {
  useTitle(name);
  const path = `/v1/models/${encodeURIComponent(name)}`;
  const model = useResource<Model>(path, 5000);
  const limit = useSignal(20);
  const versions = useResource<List<ModelVersion>>(`${path}/versions?limit=${limit.value}`, 5000);
  const moves = useSignal(0);
  const promoting = useSignal<number | null>(null);
  const rolling = useSignal(false);
  const answering = useSignal(false);
  const changed = (): void => {
    model.refresh();
    versions.refresh();
    moves.value += 1;
  };
  const data = model.data;
  const crumb = (
    <p class="crumb">
      <a href={href(["models"])}>Models</a>
    </p>
  );
  // The heading stays the same element when the model arrives: it may hold the focus.
  if (!data) {
    return (
      <>
        {crumb}
        <div class="head">
          <div>
            <h1 tabIndex={-1}>{name}</h1>
          </div>
        </div>
        <Pending problem={model.problem} what="the model" />
      </>
    );
  }
  const aliasesOf = (version: number): string[] =>
    Object.entries(data.aliases).flatMap(([alias, of]) => (of === version ? [alias] : []));
  const listed = versions.data?.data ?? [];
  const ready = listed.filter((one) => one.ready);
  const writes = listed.some((one) => one.input.kind === "corpus"); // it goes on with a text, and answers no rows
  const confirmPromotion = async (form: FormData): Promise<void> => {
    await promote(path, promoting.value!, data.production !== null, String(form.get("reason") ?? "").trim());
    changed();
  };
  const confirmRollback = async (form: FormData): Promise<void> => {
    const reason = String(form.get("reason") ?? "").trim();
    await call(`${path}/aliases/production/rollback`, { method: "POST", json: reason ? { reason } : {} });
    changed();
  };
  return (
    <>
      {crumb}
      <div class="head">
        <div>
          <h1 tabIndex={-1}>{name}</h1>
          <p class="under muted">
            {data.serves === null ? "No version is ready to answer." : `Version ${data.serves} answers`}
            {data.serves !== null && data.production === null ? ", the newest, until one is promoted." : ""}
            {data.production !== null ? ": it is in production." : ""}
          </p>
        </div>
        <div class="buttons">
          {data.production === null ? null : (
            <button type="button" onClick={() => (rolling.value = true)}>
              Roll back
            </button>
          )}
          {data.serves === null || writes ? null : (
            <button type="button" onClick={() => (answering.value = true)}>
              Answer a data set
            </button>
          )}
          {data.serves === null ? null : (
            <a class="button primary" href={href(["playground"], { model: name })}>
              Try it
            </a>
          )}
        </div>
      </div>
      <section class="panel" aria-labelledby="versions">
        <h2 id="versions">Versions</h2>
        <div class="scroll" tabIndex={0} role="region" aria-label="Versions, scrollable">
          <table>
            <thead>
              <tr>
                <th scope="col">Version</th>
                <th scope="col">Known as</th>
                <th scope="col" class="number">Test</th>
                <th scope="col" class="number">Test loss</th>
                <th scope="col" class="number">Parameters</th>
                <th scope="col">Made by</th>
                <th scope="col">Made</th>
                <th scope="col">Files</th>
                <th scope="col">
                  <span class="unseen">Action</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {listed.map((version) => (
                <VersionRow
                  key={version.version}
                  path={path}
                  version={version}
                  aliases={aliasesOf(version.version)}
                  promote={() => (promoting.value = version.version)}
                />
              ))}
            </tbody>
          </table>
        </div>
        {versions.data?.has_more && limit.value < 100 ? (
          <button type="button" onClick={() => (limit.value = Math.min(100, limit.value * 5))}>
            Load more
          </button>
        ) : null}
      </section>
      <ServedTable served={data.served} />
      <p>
        <a href={href(["jobs"], { model: name })}>Jobs that train this model</a>
      </p>
      {data.production === null ? null : <History path={path} again={moves.value} />}
      {promoting.value === null ? null : (
        <Dialog title={`Promote version ${promoting.value}?`} action="Promote" confirm={confirmPromotion} close={() => (promoting.value = null)}>
          <p>From now on it answers every prediction that asks for {name}. One click takes it back.</p>
          <Reason />
        </Dialog>
      )}
      {answering.value && data.serves !== null ? (
        <AnswerDialog
          name={name}
          path={path}
          versions={ready.map((one) => one.version)}
          serves={data.serves}
          close={() => (answering.value = false)}
        />
      ) : null}
      {rolling.value ? (
        <Dialog title="Roll back production?" action="Roll back" confirm={confirmRollback} close={() => (rolling.value = false)}>
          <p>Predictions go back to the version that was in production before.</p>
          <Reason />
        </Dialog>
      ) : null}
    </>
  );
}

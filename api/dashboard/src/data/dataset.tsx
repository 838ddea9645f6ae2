/** One version of a data set: what it is, what was found in its files, and what it looks like. */
import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { call } from "../http";
import { bytes } from "../number";
import { Dialog } from "../part/dialog";
import { Pending } from "../part/trouble";
import { useTitle } from "../part/title";
import { useResource } from "../poll";
import { go, href } from "../route";
import { Ago } from "../time";
import type { Dataset } from "../wire";
import { Classes } from "./classes";
import { FindingsPanel } from "./findings";
import { Measures } from "./measures";
import { Samples } from "./samples";
import { shapeWords, splitWords, taskWords } from "./words";

function Facts({ dataset }: { dataset: Dataset }) {
  const facts: [string, ComponentChildren][] = [
    ["Kind", dataset.kind],
    ["A sample", shapeWords(dataset)],
    [dataset.task === "forecast" ? "Rows" : dataset.task === "language" ? "Characters" : "Samples", splitWords(dataset)],
    ["To learn", taskWords(dataset)],
    ["Size", bytes(dataset.size_bytes)],
    ["Made", <Ago at={dataset.created_at} />],
  ];
  return (
    <dl class="facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

export function DatasetPage({ name }: { name: string }) {
  const { data: dataset, problem } = useResource<Dataset>(`/v1/datasets/${encodeURIComponent(name)}`);
  const asking = useSignal(false);
  useTitle(name);
  const reference = dataset ? `${dataset.name}@${dataset.version}` : name;
  const remove = async (): Promise<void> => {
    await call(`/v1/datasets/${encodeURIComponent(reference)}`, { method: "DELETE" });
    go(["data"]);
  };
  // The heading stays the same element when the data set arrives: it may hold the focus.
  return (
    <>
      <p class="crumb">
        <a href={href(["data"])}>Data</a>
      </p>
      <div class="head">
        <div>
          <h1 tabIndex={-1}>{reference}</h1>
          {dataset ? <p class="under muted">{dataset.source || "No source was given."}</p> : null}
        </div>
        {dataset ? (
          <div class="buttons">
            <a class="button primary" href={href(["jobs", "new"], { dataset: reference })}>
              Train on this
            </a>
            <a class="button" href={href(["jobs"], { dataset: reference })}>
              Its jobs
            </a>
            {dataset.findings ? (
              <button type="button" class="danger" onClick={() => (asking.value = true)}>
                Delete
              </button>
            ) : null}
          </div>
        ) : null}
      </div>
      {dataset ? (
        <>
          <Facts dataset={dataset} />
          <Samples dataset={dataset} />
          <div class="columns">
            {dataset.task === "classification" ? <Classes dataset={dataset} /> : null}
            {dataset.targets && dataset.findings ? <Measures findings={dataset.findings} targets={dataset.targets} /> : null}
            {dataset.findings ? <FindingsPanel findings={dataset.findings} /> : null}
          </div>
          <p class="muted small clip">
            SHA-256 <code>{dataset.sha256}</code>
          </p>
        </>
      ) : (
        <Pending problem={problem} what="the data set" />
      )}
      {asking.value ? (
        <Dialog title={`Delete ${reference}?`} action="Delete data set" danger confirm={remove} close={() => (asking.value = false)}>
          <p>Its samples are removed for good. Other versions of it stay.</p>
        </Dialog>
      ) : null}
    </>
  );
}

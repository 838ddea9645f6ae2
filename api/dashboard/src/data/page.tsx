/** The data sets, newest first, and where new ones come in. */
import { bytes, plural } from "../number";
import { Pending } from "../part/trouble";
import { useTitle } from "../part/title";
import { usePages } from "../pages";
import { href } from "../route";
import { Ago } from "../time";
import type { Dataset } from "../wire";
import { UploadPanel } from "./panel";
import { taskWords, shapeWords, splitWords } from "./words";

function DatasetRow({ dataset }: { dataset: Dataset }) {
  const name = `${dataset.name}@${dataset.version}`;
  return (
    <li class="job">
      <div class="what">
        <span class="clip">
          <a class="cover" href={href(["data", name])}>
            {name}
          </a>
          {dataset.findings === null ? <span class="chip">built in</span> : null}
        </span>
        <span class="muted small clip">{dataset.source || "no source given"}</span>
      </div>
      <div class="standing">
        <span>
          {dataset.kind} <span class="muted">{shapeWords(dataset)}</span>
        </span>
        <span class="muted small">
          {taskWords(dataset)} · {splitWords(dataset)}
        </span>
      </div>
      <div class="when small muted">
        <Ago at={dataset.created_at} />
        <span>{bytes(dataset.size_bytes)}</span>
      </div>
    </li>
  );
}

export function DataPage() {
  useTitle("Data");
  const { shown, problem, more, refresh } = usePages<Dataset>("/v1/datasets?limit=50", 5000);
  return (
    <>
      <div class="head">
        <h1 tabIndex={-1}>Data</h1>
        <a class="button" href={href(["jobs"], { kind: "ingest" })}>
          All uploads
        </a>
      </div>
      <UploadPanel made={refresh} />
      {!shown ? <Pending problem={problem} what="data sets" /> : null}
      {shown?.rows.length ? (
        <>
          <ul class="jobs models datasets" aria-label="Data sets">
            {shown.rows.map((dataset) => (
              <DatasetRow key={dataset.id} dataset={dataset} />
            ))}
          </ul>
          <div class="more">
            <span class="muted small">{`${shown.more ? "The newest " : ""}${plural(shown.rows.length, "data set")}`}</span>
            {shown.more ? (
              <button type="button" onClick={more}>
                Load more
              </button>
            ) : null}
          </div>
        </>
      ) : null}
    </>
  );
}

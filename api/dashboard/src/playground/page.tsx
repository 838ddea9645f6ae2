/** Ask a model, in the way that suits what it reads. */
import { Pending } from "../part/trouble";
import { useTitle } from "../part/title";
import { useResource } from "../poll";
import { go, href, route } from "../route";
import type { List, Model, ModelVersion } from "../wire";
import type { Desk } from "./answer";
import { CommandDesk } from "./command";
import { DrawingDesk } from "./drawn";
import { ForecastDesk } from "./forecast";
import { SeriesDesk } from "./measured";
import { PromptDesk } from "./prompt";
import { PictureDesk } from "./shown";
import { TextDesk } from "./written";

function Fitting(desk: Desk) {
  const { kind, shape } = desk.version.input;
  if (desk.version.task === "language") return <PromptDesk {...desk} />;
  if (desk.version.task === "forecast") return <ForecastDesk {...desk} />;
  if (desk.version.task !== "classification") return <CommandDesk {...desk} />;
  if (kind === "image") return shape[2] === 1 ? <DrawingDesk {...desk} /> : <PictureDesk {...desk} />;
  if (kind === "series") return <SeriesDesk {...desk} />;
  if (kind === "text") return <TextDesk {...desk} />;
  return <p class="empty muted">There is no desk yet for a model that reads {kind}.</p>;
}

export function PlaygroundPage() {
  useTitle("Playground");
  const { data, problem } = useResource<List<Model>>("/v1/models?limit=100", 5000);
  const ready = (data?.data ?? []).filter((model) => model.serves !== null);
  const asked = route.value.query.get("model");
  const model = ready.find((one) => one.name === asked) ?? ready[0];
  const version = useResource<ModelVersion>(model ? `/v1/models/${encodeURIComponent(model.name)}/versions/${model.serves}` : null);
  return (
    <>
      <div class="head">
        <h1 tabIndex={-1}>Playground</h1>
        {ready.length ? (
          <label class="picker">
            <span>Model</span>
            <select value={model?.name} onChange={(event) => go(["playground"], { model: event.currentTarget.value })}>
              {ready.map(({ name }) => (
                <option key={name} value={name}>
                  {name}
                </option>
              ))}
            </select>
          </label>
        ) : null}
      </div>
      {!data || (model && !version.data) ? <Pending problem={problem ?? version.problem} what="models" /> : null}
      {data && !ready.length ? (
        <section class="empty">
          <h2>No model to play with yet</h2>
          <p>
            Train one on the digits; it answers here as soon as it has succeeded. <a href={href(["jobs", "new"])}>Start a training</a>
          </p>
        </section>
      ) : null}
      {model && version.data ? <Fitting key={`${model.name}:${version.data.version}`} model={model.name} version={version.data} /> : null}
    </>
  );
}

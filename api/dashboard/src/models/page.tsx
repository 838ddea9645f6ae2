/** The registered models. */
import { plural } from "../number";
import { Pending } from "../part/trouble";
import { useTitle } from "../part/title";
import { useResource } from "../poll";
import { href } from "../route";
import { Ago } from "../time";
import type { List, Model } from "../wire";

function served(model: Model): string {
  if (model.serves === null) return "no version is ready";
  return model.production === model.serves ? `version ${model.serves} in production` : `serves its newest, version ${model.serves}`;
}

export function ModelsPage() {
  useTitle("Models");
  const { data, problem } = useResource<List<Model>>("/v1/models?limit=100", 5000);
  return (
    <>
      <h1 tabIndex={-1}>Models</h1>
      {!data ? <Pending problem={problem} what="models" /> : null}
      {data && !data.data.length ? (
        <section class="empty">
          <h2>No models yet</h2>
          <p>
            A training that names a model registers a version of it when it succeeds, and that version answers predictions at once.{" "}
            <a href={href(["jobs", "new"])}>Start one</a>
          </p>
        </section>
      ) : null}
      <ul class="jobs models" aria-label="Models">
        {(data?.data ?? []).map((model) => (
          <li key={model.name} class="job">
            <div class="what">
              <a class="cover clip" href={href(["models", model.name])}>
                {model.name}
              </a>
              <span class="muted small">
                {plural(model.versions, "version")} · since <Ago at={model.created_at} />
              </span>
            </div>
            <div class="standing">{served(model)}</div>
            {model.serves === null ? null : (
              <a class="button over" href={href(["playground"], { model: model.name })} aria-label={`Try ${model.name} in the playground`}>
                Try it
              </a>
            )}
          </li>
        ))}
      </ul>
    </>
  );
}

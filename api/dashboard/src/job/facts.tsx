import type { ComponentChildren } from "preact";
import { family, reference, shortId } from "../jobs/row";
import { count } from "../number";
import { ended } from "../part/status";
import { judged } from "../result";
import { href } from "../route";
import { Ago, Took, Until } from "../time";
import type { Job } from "../wire";

type Fact = [string, ComponentChildren];

function what(job: Job): Fact[] {
  if (job.kind === "explain") {
    const { model, options } = job.explain;
    return [
      ["Model", <a href={href(["models", model.split(":")[0] ?? model])}>{model}</a>],
      ["Method", String(options["method"]).replaceAll("_", " ")],
    ];
  }
  if (job.kind === "evaluate") {
    const { job: trained, step } = job.evaluate;
    return [
      ["Checkpoint", <a href={href(["jobs", trained])}>{`step ${count(step)} of ${shortId(trained)}`}</a>],
      ["Data set", <a href={href(["data", reference(job.dataset)])}>{reference(job.dataset)}</a>],
    ];
  }
  if (job.kind === "predict") {
    const { model, split, top } = job.predict;
    const facts: Fact[] = [
      ["Model", <a href={href(["models", model.split(":")[0] ?? model])}>{model}</a>],
      ["Data set", <a href={href(["data", reference(job.dataset)])}>{reference(job.dataset)}</a>],
      ["Rows", split === "all" ? "all splits" : `split ${split}`],
    ];
    return top === null ? facts : [...facts, ["Classes kept", `the ${count(top)} likeliest`]];
  }
  const made: Fact[] = job.dataset
    ? [["Data set", <a href={href(["data", reference(job.dataset)])}>{reference(job.dataset)}</a>]]
    : [["Data set", job.kind === "ingest" ? job.ingest.dataset : "–"]];
  if (job.kind === "train") made.push(["Network", `${family(job)}, ${count(job.parameters)} parameters`]);
  else if (job.ingest.source) made.push(["Source", job.ingest.source]);
  return made;
}

export function Facts({ job }: { job: Job }) {
  const facts: Fact[] = [...what(job), ["Submitted", <Ago at={job.created_at} />]];
  if (job.started_at) facts.push([ended(job) ? "Took" : "Running for", <Took from={job.started_at} to={job.finished_at} />]);
  if (job.status === "running" && job.estimated_finish) facts.push(["Done", <Until at={job.estimated_finish} />]);
  if (job.worker) facts.push(["Worker", <a href={href(["workers"])}>{job.worker.slice(-8)}</a>]);
  if (job.kind === "train" && job.threads) facts.push(["Threads", count(job.threads)]);
  if (job.attempt > 1) facts.push(["Attempt", `${job.attempt} of at most ${job.max_attempts}`]);
  if (job.replay_of) facts.push(["Replay of", <a href={href(["jobs", job.replay_of])}>{shortId(job.replay_of)}</a>]);
  if (job.model) {
    const version = job.model_version ? ` version ${job.model_version}` : "";
    facts.push(["Model", <a href={href(["models", job.model])}>{job.model + version}</a>]);
  }
  if ((job.kind === "train" || job.kind === "evaluate") && job.result?.test) {
    const [value, name] = judged(job.result.test);
    facts.push([`Test ${name}`, <strong>{value}</strong>]);
  }
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

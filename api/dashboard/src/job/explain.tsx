/** An explanation that a worker made: its parts in their colours, and what happened. */
import { Parts, Reading } from "../playground/parts";
import type { Explain } from "../playground/explanation";
import type { Feed } from "./feed";
import { LogLines, Timeline } from "./timeline";

export function ExplainBody({ job, feed }: { job: Explain; feed: Feed }) {
  return (
    <>
      {job.result ? (
        <section class="panel why" aria-label="Why">
          <figure>
            <Parts explanation={job.result} sent={null} text="" />
            <Reading explanation={job.result} />
          </figure>
        </section>
      ) : null}
      <div class="columns">
        <Timeline feed={feed} />
        <LogLines feed={feed} />
      </div>
    </>
  );
}

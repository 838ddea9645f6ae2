import { Copy } from "../part/copy";
import { href } from "../route";
import { session } from "../session";
import { curl } from "./request";

const first = { dataset: "digits", model: "digits", network: { family: "cnn" }, data: { resize: [28, 28] } };

/** The first thing a newcomer sees: what to do, ready to paste. */
export function NoJobs() {
  return (
    <section class="empty" aria-labelledby="no-jobs">
      <h2 id="no-jobs">No jobs yet</h2>
      <p>
        Train a small convolutional network on handwritten digits. It takes less than a minute. Paste this into a shell, or{" "}
        <a href={href(["jobs", "new"])}>fill in a form</a>.
      </p>
      <Copy label="Command that posts a job" text={curl(first, session.value?.keys_required ?? false)} />
    </section>
  );
}

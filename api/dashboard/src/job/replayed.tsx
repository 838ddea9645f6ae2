import { shortId } from "../jobs/row";
import type { Replay } from "../result";
import { href } from "../route";

/** Whether a replay made the weights of its original, and if not, what may be why. */
export function Replayed({ replay }: { replay: Replay }) {
  const original = (
    <a href={href(["jobs", replay.of])}>
      <code>{shortId(replay.of)}</code>
    </a>
  );
  if (replay.match) {
    return (
      <p class="note">
        Same weights as {original}, bit for bit{replay.differences.length ? `, though ${replay.differences.join("; ")}` : ""}.
      </p>
    );
  }
  return (
    <p class="note">
      Different weights than {original}:{" "}
      {replay.differences.length ? replay.differences.join("; ") : "all that is noted of the two runs is the same"}.
    </p>
  );
}

import { percent } from "../number";
import type { Prediction } from "./prediction";

/** How sure the model is of each class; with many classes, of the ten most likely. */
export function Bars({ classes, prediction }: { classes: string[]; prediction: Prediction | null }) {
  const [best] = prediction?.predictions ?? [];
  const of = (name: string): number => best?.probabilities[name] ?? 0;
  const shown = classes.length <= 12 ? classes : [...classes].sort((a, b) => of(b) - of(a)).slice(0, 10);
  return (
    <ul class="bars" aria-label="Probability of each class">
      {shown.map((name) => (
        <li key={name} class={best?.class === name ? "best" : ""}>
          <span class="name clip">{name}</span>
          <span class="track" aria-hidden="true">
            <span class="fill" style={{ "--part": of(name) }} />
          </span>
          <span class="value">{best ? percent(of(name)) : "–"}</span>
        </li>
      ))}
    </ul>
  );
}

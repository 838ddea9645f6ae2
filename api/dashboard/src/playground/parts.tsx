/** The parts of a question in the colours of what they add. */
import { useAddress } from "./address";
import type { Explanation, Player } from "./explanation";

/** Where a part lies, in words. */
function placeWords({ box, text, start = 0, end = 0 }: Player, kind: string): string {
  if (box) {
    const [y0, x0, y1, x1] = box;
    return `${span("row", y0, y1)}, ${span("column", x0, x1)}`;
  }
  if (text !== undefined) return `“${text}”`;
  return kind === "audio" ? `${start.toFixed(2)} to ${end.toFixed(2)} s` : span("step", start, end);
}

const span = (what: string, first: number, end: number): string =>
  end - first === 1 ? `${what} ${first + 1}` : `${what}s ${first + 1} to ${end}`;

/** The parts that add or take most. */
const strongest = ({ players }: Explanation, most: number): Player[] =>
  [...players].sort((a, b) => Math.abs(b.value) - Math.abs(a.value)).slice(0, most);

const side = (value: number): string => (value > 0 ? "for" : "against");

interface Props {
  explanation: Explanation;
  /** The body of the request: a picture. */
  sent: Blob | null;
  /** The text that was asked about; where it is empty, its parts are put one after the other. */
  text: string;
}

export function Parts({ explanation, sent, text }: Props) {
  const most = Math.max(...explanation.players.map(({ value }) => Math.abs(value)), 1e-12);
  const share = (value: number): number => (0.75 * Math.abs(value)) / most;
  if (explanation.kind === "image") return <HeatMap explanation={explanation} sent={sent} share={share} />;
  if (explanation.kind === "text") return <Words explanation={explanation} text={text} share={share} />;
  return (
    <div class="stretches" role="img" aria-label={`What each stretch of time adds to ${explanation.target}`}>
      {explanation.players.map((player) => (
        <span
          key={player.start}
          class={side(player.value)}
          title={`${placeWords(player, explanation.kind)}: ${player.value.toFixed(3)}`}
          style={{ "--share": share(player.value), flexGrow: (player.end ?? 0) - (player.start ?? 0) }}
        />
      ))}
    </div>
  );
}

const signed = (value: number): string => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(3)}`;

/** How to read the colours, and the strongest parts in words. */
export function Reading({ explanation }: { explanation: Explanation }) {
  const { kind, target, r2 } = explanation;
  const words = strongest(explanation, 3).map((player) => `${placeWords(player, kind)} ${signed(player.value)}`);
  return (
    <figcaption class="muted small" aria-live="polite">
      <span class="for">Blue</span> speaks for {target}, <span class="against">orange</span> against it. Strongest: {words.join("; ")}.
      {r2 === null ? "" : ` A sum of parts tells ${Math.round(Math.max(0, r2) * 100)} % of what the model does.`}
    </figcaption>
  );
}

function HeatMap({ explanation, sent, share }: { explanation: Explanation; sent: Blob | null; share: (value: number) => number }) {
  const address = useAddress(sent);
  const [height = 1, width = 1] = explanation.shape;
  return (
    <svg
      class="heat"
      viewBox={`0 0 ${width} ${height}`}
      role="img"
      aria-label={`What each cell of the picture adds to ${explanation.target}`}
    >
      {address ? <image href={address} width={width} height={height} preserveAspectRatio="none" /> : null}
      {explanation.players.map(({ value, box: [y0, x0, y1, x1] = [0, 0, 0, 0] }) => (
        <rect key={`${y0} ${x0}`} class={side(value)} x={x0} y={y0} width={x1 - x0} height={y1 - y0} fill-opacity={share(value)} />
      ))}
    </svg>
  );
}

function Words({ explanation, text, share }: { explanation: Explanation; text: string; share: (value: number) => number }) {
  const signs = Array.from(text); // The service counts characters, and JavaScript halves of some.
  let done = 0;
  return (
    <p class="words" aria-label={`What each part of the text adds to ${explanation.target}`}>
      {explanation.players.map(({ value, start = 0, end = 0, text: part }) => {
        const before = signs.slice(done, start).join("");
        done = end;
        return (
          <span key={start}>
            {before}
            <mark class={side(value)} title={value.toFixed(3)} style={{ "--share": share(value) }}>
              {part ?? signs.slice(start, end).join("")}
            </mark>
            {signs.length ? "" : " "}
          </span>
        );
      })}
      {signs.slice(done).join("")}
    </p>
  );
}

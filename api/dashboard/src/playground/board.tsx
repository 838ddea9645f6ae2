/** The surface one draws on, by mouse, finger, pen or keyboard. */
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { trace, type Dot, type Stroke } from "./picture";

export const SIDE = 280;
const WIDTH = 22;
const STEP = 10;

interface Props {
  strokes: Stroke[];
  change: (strokes: Stroke[]) => void;
}

const inside = (value: number): number => Math.min(SIDE, Math.max(0, value));

const arrows: Record<string, [number, number]> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

/** The pen of somebody without a pointer: arrows move it, Space puts it down and lifts it. */
function useKeyboardPen({ strokes, change }: Props) {
  const pen = useSignal<{ at: Dot; down: boolean } | null>(null);
  const key = (event: KeyboardEvent): void => {
    const now = pen.value ?? { at: { x: SIDE / 2, y: SIDE / 4 }, down: false };
    const arrow = arrows[event.key];
    if (arrow) {
      const step = event.shiftKey ? STEP / 2 : STEP;
      const at = { x: inside(now.at.x + arrow[0] * step), y: inside(now.at.y + arrow[1] * step) };
      pen.value = { ...now, at };
      if (now.down) change([...strokes.slice(0, -1), [...(strokes.at(-1) ?? []), at]]);
    } else if (event.key === " ") {
      pen.value = { ...now, down: !now.down };
      if (!now.down) change([...strokes, [now.at]]);
    } else if (event.key === "Delete" || event.key === "Backspace") {
      pen.value = { ...now, down: false };
      change([]);
    } else return;
    event.preventDefault();
  };
  return { pen, key };
}

export function Board({ strokes, change }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const drawing = useRef<Stroke | null>(null);
  const focused = useSignal(false);
  const { pen, key } = useKeyboardPen({ strokes, change });

  useEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (!context) return;
    context.fillStyle = "#000";
    context.fillRect(0, 0, SIDE, SIDE);
    context.strokeStyle = "#fff";
    context.lineWidth = WIDTH;
    trace(context, strokes);
    if (pen.value && focused.value) {
      context.lineWidth = 3;
      context.strokeStyle = pen.value.down ? "#74c0fc" : "#868e96";
      context.beginPath();
      context.arc(pen.value.at.x, pen.value.at.y, WIDTH / 2 + 3, 0, Math.PI * 2);
      context.stroke();
    }
  }, [strokes, pen.value, focused.value]);

  const place = (event: PointerEvent): Dot => {
    const box = canvas.current!.getBoundingClientRect();
    return { x: inside(((event.clientX - box.left) * SIDE) / box.width), y: inside(((event.clientY - box.top) * SIDE) / box.height) };
  };
  const down = (event: PointerEvent): void => {
    if (event.button !== 0) return;
    canvas.current?.setPointerCapture(event.pointerId);
    drawing.current = [place(event)];
    pen.value = null;
    change([...strokes, drawing.current]);
  };
  const move = (event: PointerEvent): void => {
    if (!drawing.current) return;
    drawing.current = [...drawing.current, place(event)];
    change([...strokes.slice(0, -1), drawing.current]);
  };
  const up = (): void => {
    drawing.current = null;
  };
  return (
    <canvas
      ref={canvas}
      class="board"
      width={SIDE}
      height={SIDE}
      tabIndex={0}
      role="application"
      aria-label="Drawing surface"
      aria-describedby="board-keys"
      onPointerDown={down}
      onPointerMove={move}
      onPointerUp={up}
      onPointerCancel={up}
      onKeyDown={key}
      onFocus={() => (focused.value = true)}
      onBlur={() => (focused.value = false)}
    />
  );
}

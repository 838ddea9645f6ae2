/**
 * Strokes -> the picture that a model was trained on.
 *
 * The digits of the built-in set were scanned, cropped to their box, and averaged down from 32x32 to 8x8: a digit fills
 * the whole height, stands in the middle, and its stroke is about a fifth of the height. A drawing is brought into that
 * shape from its strokes, not from its pixels, so it may be drawn small, large or in a corner.
 */

export interface Dot {
  x: number;
  y: number;
}
export type Stroke = Dot[];

/** The side of the square that is drawn before it is averaged down. */
const FINE = 280;
/** Width of the pen in parts of the height. */
const PEN = 0.18;
/** Width to height of a scanned digit, middle of stroke to middle of stroke: drawings are brought to it. */
const ASPECT = 0.43;
/** Narrower than this it is a single stroke, which keeps its width. */
const SINGLE = 0.28;

interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
}

function boxOf(strokes: Stroke[]): Box {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const { x, y } of strokes.flat()) {
    left = Math.min(left, x);
    right = Math.max(right, x);
    top = Math.min(top, y);
    bottom = Math.max(bottom, y);
  }
  return { left, top, width: right - left, height: bottom - top };
}

/** Draw polylines with round ends; a stroke of one dot is a dot. */
export function trace(context: CanvasRenderingContext2D, strokes: Stroke[]): void {
  context.lineCap = "round";
  context.lineJoin = "round";
  for (const stroke of strokes) {
    context.beginPath();
    stroke.forEach(({ x, y }, index) => (index ? context.lineTo(x, y) : context.moveTo(x, y)));
    const [only] = stroke;
    if (stroke.length === 1 && only) context.lineTo(only.x + 0.01, only.y);
    context.stroke();
  }
}

/** White on black, cropped to its box and centred, `FINE` pixels a side. */
function fine(strokes: Stroke[]): Uint8ClampedArray {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = FINE;
  const context = canvas.getContext("2d", { willReadFrequently: true })!;
  context.fillStyle = "#000";
  context.fillRect(0, 0, FINE, FINE);
  context.strokeStyle = "#fff";
  context.lineWidth = PEN * FINE;
  const box = boxOf(strokes);
  // The height is filled, but a dash stays a dash.
  const down = (FINE * (1 - PEN)) / Math.max(box.height, box.width / 3, 1);
  const across = (box.width * down) / FINE > SINGLE ? (ASPECT * FINE) / box.width : down;
  const middle = { x: box.left + box.width / 2, y: box.top + box.height / 2 };
  const place = ({ x, y }: Dot): Dot => ({ x: FINE / 2 + (x - middle.x) * across, y: FINE / 2 + (y - middle.y) * down });
  trace(context, strokes.map((stroke) => stroke.map(place)));
  return context.getImageData(0, 0, FINE, FINE).data;
}

/** How many fine pixels, in whole and in part, fall into one coarse pixel: [first, last, share of each]. */
function spanOf(index: number, coarse: number): [number, number, (at: number) => number] {
  const start = (index * FINE) / coarse;
  const end = ((index + 1) * FINE) / coarse;
  return [Math.floor(start), Math.ceil(end), (at) => Math.min(at + 1, end) - Math.max(at, start)];
}

/** Area average of the fine picture: grey values 0-255, `height` rows of `width`. */
export function shrink(strokes: Stroke[], height: number, width: number): number[][] {
  const pixels = fine(strokes);
  const area = (FINE / height) * (FINE / width);
  return Array.from({ length: height }, (_, row) =>
    Array.from({ length: width }, (_, column) => {
      const [top, bottom, vertical] = spanOf(row, height);
      const [left, right, horizontal] = spanOf(column, width);
      let sum = 0;
      for (let y = top; y < bottom; y += 1) {
        for (let x = left; x < right; x += 1) sum += pixels[(y * FINE + x) * 4]! * vertical(y) * horizontal(x);
      }
      return Math.round(sum / area);
    }),
  );
}

/** Grey rows on a canvas of exactly as many pixels. */
export function paint(canvas: HTMLCanvasElement, rows: number[][]): void {
  canvas.height = rows.length;
  canvas.width = rows[0]?.length ?? 0;
  const context = canvas.getContext("2d")!;
  const image = context.createImageData(canvas.width, canvas.height);
  rows.flat().forEach((value, index) => image.data.set([value, value, value, 255], index * 4));
  context.putImageData(image, 0, 0);
}

/** The same as the bytes of a PNG, which the service decodes as it would any client's. */
export function png(rows: number[][]): Promise<Blob> {
  const canvas = document.createElement("canvas");
  paint(canvas, rows);
  return new Promise((done, failed) => {
    canvas.toBlob((blob) => (blob ? done(blob) : failed(new Error("this browser cannot write a PNG"))), "image/png");
  });
}

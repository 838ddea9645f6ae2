/**
 * Several files as one tar archive (POSIX.1-2001, pax): the browser reads each from its disk only when it is sent, so a folder
 * of any size needs no memory.
 */

export interface Named {
  /** Folders and name, with slashes. */
  name: string;
  file: File;
}

const BLOCK = 512;
const text = new TextEncoder();
const padding = (size: number): number => (BLOCK - (size % BLOCK)) % BLOCK;

/** A header block: name (at most 100 bytes) and size; neither time nor owner, so that equal files make equal archives. */
function block(name: Uint8Array, size: number, type: "0" | "x"): Uint8Array<ArrayBuffer> {
  const made = new Uint8Array(BLOCK);
  const put = (at: number, value: string): void => made.set(text.encode(value), at);
  made.set(name.subarray(0, 100));
  put(100, "0000644\0");
  put(108, "0000000\0");
  put(116, "0000000\0");
  put(124, `${Math.min(size, 0o77777777777).toString(8).padStart(11, "0")}\0`);
  put(136, "00000000000\0");
  put(148, " ".repeat(8)); // the checksum counts as spaces
  put(156, type);
  put(257, "ustar\x0000");
  const sum = made.reduce((total, byte) => total + byte, 0);
  put(148, `${sum.toString(8).padStart(6, "0")}\0 `);
  return made;
}

/** `length key=value` and a line end; the length counts its own digits. */
function record(key: string, value: string): Uint8Array {
  const rest = text.encode(` ${key}=${value}\n`).length;
  let length = rest + String(rest).length;
  length = rest + String(length).length;
  return text.encode(`${length} ${key}=${value}\n`);
}

function header({ name, file }: Named): Uint8Array<ArrayBuffer>[] {
  const plain = text.encode(name);
  const ascii = plain.length === name.length;
  if (ascii && plain.length <= 100 && file.size <= 0o77777777777) return [block(plain, file.size, "0")];
  const large = file.size > 0o77777777777 ? record("size", String(file.size)) : new Uint8Array(0);
  const path = record("path", name);
  const extended = new Uint8Array(path.length + large.length + padding(path.length + large.length));
  extended.set(path);
  extended.set(large, path.length);
  return [block(text.encode("pax"), path.length + large.length, "x"), extended, block(plain, file.size, "0")];
}

export function tar(files: Named[]): Blob {
  const parts = files.flatMap((one): BlobPart[] => [...header(one), one.file, new Uint8Array(padding(one.file.size))]);
  return new Blob([...parts, new Uint8Array(2 * BLOCK)]);
}

/** Files as a visitor chose or dropped them, with the folders that they lie in. */
import type { Named } from "./tar";

/** From a file input: a chosen folder gives each file its path. */
export const ofInput = (files: FileList): Named[] => [...files].map((file) => ({ name: file.webkitRelativePath || file.name, file }));

const entryFile = (entry: FileSystemFileEntry): Promise<File> => new Promise((done, failed) => entry.file(done, failed));

/** A folder's entries come in portions; an empty one is the last. */
async function inside(entry: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = entry.createReader();
  const found: FileSystemEntry[] = [];
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((done, failed) => reader.readEntries(done, failed));
    if (!some.length) return found;
    found.push(...some);
  }
}

async function walk(entry: FileSystemEntry): Promise<Named[]> {
  if (entry.isFile) return [{ name: entry.fullPath.slice(1), file: await entryFile(entry as FileSystemFileEntry) }];
  const found: Named[] = [];
  for (const one of await inside(entry as FileSystemDirectoryEntry)) found.push(...(await walk(one)));
  return found;
}

/** From a drop: files, and folders with all that is in them. */
export async function ofDrop(transfer: DataTransfer): Promise<Named[]> {
  // The items are gone after the first await: take what they are at once. Not everything that is dropped has an entry.
  const items = [...transfer.items].map((item) => ({ entry: item.webkitGetAsEntry(), file: item.getAsFile() }));
  const read = async ({ entry, file }: (typeof items)[number]): Promise<Named[]> => {
    if (entry) return walk(entry);
    return file ? [{ name: file.name, file }] : [];
  };
  return (await Promise.all(items.map(read))).flat();
}

const words = (name: string): string[] => name.toLowerCase().split(/[^a-z0-9]+/).filter(Boolean);
const withoutEndings = (name: string): string => name.replace(/(\.[A-Za-z][A-Za-z0-9]{0,7})+$/, "");

/** What the data set may be called: the folder, or the words that the files' names have in common at their start. */
export function proposal(files: Named[]): string {
  const tops = new Set(files.map(({ name }) => name.split("/")[0] ?? ""));
  const [first = []] = [...tops].map((top) => words(withoutEndings(top)));
  const common = [...tops].map((top) => words(withoutEndings(top))).reduce((known, next) => {
    const end = known.findIndex((word, index) => word !== next[index]);
    return end < 0 ? known : known.slice(0, end);
  }, first);
  return common.join("-").slice(0, 64);
}

"""Files and folders as one stream of bytes: a single file as it is, all else as a tar archive made while it is sent."""

import os
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from epochd.errors import EpochdError

PIECE = 1024 * 1024
END = bytes(2 * tarfile.BLOCKSIZE)


@dataclass(frozen=True)
class Entry:
    """A file, the name that it goes by, and its size in bytes when it was looked at."""

    name: str
    path: Path
    size: int


@dataclass(frozen=True)
class Source:
    """What is to be sent: its name, its files, whether they are packed, and how many bytes that makes."""

    name: str
    entries: tuple[Entry, ...]
    packed: bool
    size: int


def gather(paths: Sequence[str | os.PathLike[str]]) -> Source:
    """The files at these paths, folders with all that is in them, in an order that is always the same.

    Raises:
        EpochdError: there is no file, or a path does not exist.
    """
    files: list[tuple[str, Path]] = []
    for path in map(Path, paths):
        if path.is_dir():
            inside = sorted(one for one in path.rglob("*") if one.is_file())
            files += [(f"{path.resolve().name}/{one.relative_to(path).as_posix()}", one) for one in inside]
        elif path.is_file():
            files.append((path.name, path))
        else:
            raise EpochdError(f"there is no file {path}")
    if not files:
        raise EpochdError(f"there are no files in {', '.join(str(path) for path in paths)}")
    entries = tuple(Entry(name, path, path.stat().st_size) for name, path in files)
    if len(entries) == 1 and Path(paths[0]).is_file():
        return Source(entries[0].name, entries, False, entries[0].size)
    whole = sum(len(_header(entry)) + entry.size + len(_padding(entry)) for entry in entries) + len(END)
    return Source("upload.tar", entries, True, whole)


def read(source: Source) -> Iterator[bytes]:
    """Its bytes, exactly ``source.size`` of them. EpochdError: a file has changed its size."""
    for entry in source.entries:
        if source.packed:
            yield _header(entry)
        left = entry.size
        with entry.path.open("rb") as file:
            while left and (piece := file.read(min(PIECE, left))):
                left -= len(piece)
                yield piece
            if left or file.read(1):
                raise EpochdError(f"{entry.path} changed while it was read")
        if source.packed:
            yield _padding(entry)
    if source.packed:
        yield END


def _header(entry: Entry) -> bytes:
    """Name and size only: equal files make equal archives, whoever sends them and when."""
    info = tarfile.TarInfo(entry.name)
    info.size = entry.size
    return info.tobuf(tarfile.PAX_FORMAT)


def _padding(entry: Entry) -> bytes:
    return bytes(-entry.size % tarfile.BLOCKSIZE)

"""Tar archives as streams, in bounded memory: one header at a time, and no member but plain files and folders."""

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from core.ingest.findings import Refused, shown

BLOCK = 512
_LONGEST_HEADER = 2**20
_STEP = 2**18
_REFUSED = {
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.LNKTYPE: "a hard link",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a pipe",
    tarfile.GNUTYPE_SPARSE: "a sparse file",
}


class Stream(Protocol):
    """Anything that is read from."""

    def read(self, size: int, /) -> bytes: ...


@dataclass
class Entry:
    """A file or a folder; its bytes must be read before the next entry is asked for, or are passed over."""

    name: str
    folder: bool
    size: int
    source: Stream

    def __post_init__(self) -> None:
        self._left = self.size

    def read(self, size: int = -1) -> bytes:
        """At most ``size`` bytes of this member; empty at its end. EOFError if the archive is cut off."""
        wanted = self._left if size < 0 else min(size, self._left)
        data = self.source.read(wanted) if wanted else b""
        if wanted and not data:
            raise EOFError
        self._left -= len(data)
        return data


def is_header(block: bytes) -> bool:
    """Whether a file that begins so is a tar archive: the header's checksum is right."""
    try:
        tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def entries(source: Stream, archive: str) -> Iterator[Entry]:
    """The files and folders of a tar stream. EOFError: cut off; HeaderError: damaged; Refused: links, devices."""
    extended: dict[str, str] = {}
    while True:
        block = _exactly(source, BLOCK)
        if not any(block):
            while source.read(_STEP):  # to the end, so that gzip checks its sum
                pass
            return
        header = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        if header.size < 0:
            raise tarfile.HeaderError("negative size")
        if header.type in (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK):
            if header.size > _LONGEST_HEADER:
                raise Refused(f"{archive}: a header of {header.size:,} bytes; pack the files again")
            data = _exactly(source, _padded(header.size))[: header.size]
            if header.type == tarfile.XHDTYPE:
                extended.update(_records(data))
            elif header.type == tarfile.GNUTYPE_LONGNAME:
                extended["path"] = data.rstrip(b"\0").decode("utf-8", "surrogateescape")
            continue
        name = extended.get("path", header.name)
        if header.type in _REFUSED or any(key.startswith("GNU.sparse") for key in extended):
            what = _REFUSED.get(header.type, "a sparse file")
            raise Refused(f"{archive}: the member {shown(name)!r} is {what}; pack the files themselves")
        size = int(extended["size"]) if "size" in extended else header.size
        if size < 0:
            raise tarfile.HeaderError("negative size")
        extended = {}
        folder = header.type == tarfile.DIRTYPE
        entry = Entry(name, folder, 0 if folder else size, source)
        yield entry
        while entry.read(_STEP):
            pass
        _exactly(source, _padded(entry.size) - entry.size)


def _padded(size: int) -> int:
    return -(-size // BLOCK) * BLOCK


def _exactly(source: Stream, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = source.read(size - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def _records(data: bytes) -> dict[str, str]:
    """A pax header: records of ``length key=value`` and a line end, the length counting all of it."""
    found = {}
    while data:
        digits, _, _ = data.partition(b" ")
        if not digits.isdigit() or len(digits) > 7:
            raise tarfile.HeaderError("damaged extended header")
        length = int(digits)
        record = data[len(digits) + 1 : length]
        key, equals, value = record[:-1].partition(b"=")
        if not equals or length > len(data) or record[-1:] != b"\n":
            raise tarfile.HeaderError("damaged extended header")
        if key == b"size" and not (value.isdigit() and len(value) < 20):
            raise tarfile.HeaderError("damaged extended header")
        found[key.decode("utf-8", "surrogateescape")] = value.decode("utf-8", "surrogateescape")
        data = data[length:]
    return found

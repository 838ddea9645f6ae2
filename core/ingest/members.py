"""The files of an upload, wherever their bytes lie."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from errno import EINVAL
from pathlib import Path
from typing import Any, TextIO

from core.ingest.findings import Refused

LONGEST_LINE = 16 * 2**20
"""Characters; no more of a text file is ever held in memory."""


@dataclass(frozen=True, slots=True)
class Member:
    """``size`` bytes at ``offset`` of a file on this machine. ``name`` is for people and for sorting, never a path."""

    name: str
    file: Path
    offset: int
    size: int

    def read(self, most: int = -1) -> bytes:
        """The first ``most`` bytes, or all."""
        with self.file.open("rb") as file:
            file.seek(self.offset)
            return file.read(self.size if most < 0 else min(most, self.size))

    def open(self) -> io.BufferedReader:
        """A seekable stream of its bytes."""
        return io.BufferedReader(_Region(self), 2**18)

    def text(self, newline: str | None) -> TextIO:
        """UTF-8 with or without a byte order mark; bytes that are none become lone surrogates, see ``not_utf8``."""
        if self.read(2) in (b"\xff\xfe", b"\xfe\xff"):
            raise Refused(f"{self.name} is UTF-16; save it as UTF-8")
        return io.TextIOWrapper(self.open(), "utf-8-sig", "surrogateescape", newline)

    def lines(self, newline: str | None = None) -> Iterator[str]:
        """Text line by line; ``newline`` as for ``open``."""
        with self.text(newline) as file:
            number = 1
            while line := file.readline(LONGEST_LINE):
                if len(line) == LONGEST_LINE:
                    raise Refused(f"{self.name}, row {number}: the line has more than {LONGEST_LINE:,} characters")
                yield line
                number += 1


class _Region(io.RawIOBase):
    """A window on a file."""

    def __init__(self, member: Member) -> None:
        self._file = member.file.open("rb", buffering=0)
        self._start, self._size, self._place = member.offset, member.size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        place = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        if place < 0:
            raise OSError(EINVAL, "negative seek position")  # as a file does; zipfile relies on it
        self._place = place
        return place

    def tell(self) -> int:
        return self._place

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)[: max(0, self._size - self._place)]
        self._file.seek(self._start + self._place)
        count = self._file.readinto(view) if len(view) else 0
        self._place += count
        return count

    def close(self) -> None:
        self._file.close()
        super().close()


def not_utf8(text: str) -> str | None:
    """Why a piece of a member's text is no UTF-8, naming the first such byte; None if it is."""
    if text.isascii():
        return None
    for place, one in enumerate(text):
        if 0xDC80 <= ord(one) <= 0xDCFF:
            return f"byte 0x{ord(one) - 0xDC00:02X} after {place:,} characters is not UTF-8; save the file as UTF-8"
    return None

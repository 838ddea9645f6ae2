"""Text files -> one long text, for models that write: cut by position, never shuffled."""

import codecs
import io
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from core.ingest import file
from core.ingest.file import Tensor
from core.ingest.findings import Refused, shown
from core.ingest.members import Member
from core.ingest.names import by_split, layout, split_of, stem
from core.ingest.work import Work
from core.specs import IngestOptions

PIECE = 500
"""Characters of one sample, as samples of a text are shown."""
FEWEST = 100
"""Characters of a text that is worth cutting into splits."""
_STEP = 2**20


@dataclass
class Part:
    """One split: ``size`` bytes from ``start`` of the scratch file on; ``offsets`` are those of its pieces."""

    split: str
    start: int
    size: int = 0
    characters: int = 0
    lines: int = 0
    distinct: set[str] = field(default_factory=set)
    offsets: "array[int]" = field(default_factory=lambda: array("q", [0]))
    ends_in_line: bool = False

    def add(self, text: str) -> None:
        """Go on with this text."""
        first = 0
        while first < len(text):
            piece = text[first : first + PIECE - self.characters % PIECE]
            first += len(piece)
            self.characters += len(piece)
            self.size += len(piece.encode())
            if self.characters % PIECE == 0:
                self.offsets.append(self.size)
        self.lines += text.count("\n")
        self.distinct.update(text)
        self.ends_in_line = not text.endswith("\n")


def is_one(members: Sequence[Member], options: IngestOptions) -> bool:
    """Whether text files are one text: they are said to be, or they name neither classes nor samples.

    Refused: they are said to be, and to have classes.
    """
    classes = {name: getattr(options, name) for name in ("pattern", "test_pattern", "label", "text", "task", "target")}
    given = [name for name, value in classes.items() if value is not None]
    if options.kind == "corpus" and given:
        raise Refused(f"{given[0]} is for samples with classes, and a corpus has none; leave it out")
    if options.kind is not None or given:
        return options.kind == "corpus"
    names = [member.name for member in members]
    places = layout(names)
    if len({places.place(name)[1] for name in names}) > 1:
        return False
    if places.splits:
        return len({stem(name) for name in names}) == 1
    return len(names) == 1 or all(split_of(name) for name in names)


def pack(members: Sequence[Member], output: Path, source: str, work: Work) -> tuple[dict[str, Any], dict[str, int]]:
    """Write the data set file; gives its manifest, and the characters of each split.

    ``{split}.text`` is UTF-8, and ``{split}.offsets`` int64 says where each piece of 500 characters begins and the last
    one ends. Lines end in a line feed, whatever they ended in before; a byte order mark is left out.

    Raises:
        Refused: a file is no UTF-8 text, or there is too little text.
    """
    spool = work.folder / "corpus"
    parts = list(_parts(spool, _cut(_join(members, spool, work), work), work))
    train = next(part for part in parts if part.split == "train")
    unseen = set().union(*(part.distinct for part in parts)) - train.distinct
    work.findings.values |= {
        "shape": [],
        "text": {
            part.split: {
                "characters": part.characters,
                "distinct_characters": len(part.distinct),
                "lines": part.lines + part.ends_in_line,
            }
            for part in parts
        },
    }
    if unseen:
        some = " ".join(shown(repr(one)) for one in sorted(unseen)[:10])
        work.findings.note(f"{len(unseen):,} characters are not in the training split, e.g. {some}")
    manifest = {"kind": "corpus", "task": "language", "shape": [], "dtype": "utf8", "classes": [], "source": source}
    tensors = []
    for part in parts:
        if part.offsets[-1] != part.size:
            part.offsets.append(part.size)
        offsets = np.array(part.offsets, np.int64)
        tensors.append(Tensor(f"{part.split}.text", "uint8", (part.size,), _bytes(spool, part.start, part.size)))
        tensors.append(Tensor(f"{part.split}.offsets", "int64", offsets.shape, iter([offsets])))
    file.write(output, manifest, tensors)
    return manifest, {part.split: part.characters for part in parts}


def _join(members: Sequence[Member], spool: Path, work: Work) -> list[tuple[str | None, int]]:
    """Write all files one after another; gives the split that each file's name says, and its characters."""
    found = []
    total = sum(member.size for member in members)
    if total > work.limit_bytes:
        raise Refused(f"the text takes {total:,} bytes; the limit is {work.limit_bytes:,}")
    with spool.open("wb") as out:
        for member, split in by_split(members):
            characters, last = 0, "\n"
            for text in _decoded(member):
                out.write(text.encode())
                characters, last = characters + len(text), text[-1]
                work.progress("reading", out.tell(), None)
            if last != "\n" and len(members) > 1:
                out.write(b"\n")
                characters += 1
            if not characters:
                work.findings.note(f"{shown(member.name)} is empty")
            found.append((split, characters))
    if len(members) > 1:
        work.findings.note("the files are one text, in the order of their names")
    return found


def _decoded(member: Member) -> Iterator[str]:
    """A file's text, some at a time; every line ends in a line feed. Refused: it is no UTF-8 text."""
    if member.read(2) in (b"\xff\xfe", b"\xfe\xff"):
        raise Refused(f"{shown(member.name)} is UTF-16; save it as UTF-8")
    decoder, newlines = codecs.getincrementaldecoder("utf-8")(), io.IncrementalNewlineDecoder(None, True)
    place, line = (3 if member.read(3) == codecs.BOM_UTF8 else 0), 1
    with member.open() as stream:
        stream.seek(place)
        while True:
            data, held = stream.read(_STEP), decoder.getstate()[0]
            try:
                if b"\0" in data:
                    raise _bad(member, data, data.index(b"\0"), place, line, "no text")
                text = newlines.decode(decoder.decode(data, final=not data), final=not data)
            except UnicodeDecodeError as error:
                what = "not UTF-8; save the file as UTF-8"
                raise _bad(member, held + data, error.start, place - len(held), line, what) from None
            if text:
                yield text
            if not data:
                return
            place, line = place + len(data), line + data.count(b"\n")


def _bad(member: Member, data: bytes, index: int, place: int, line: int, what: str) -> Refused:
    number = line + data[:index].count(b"\n")
    return Refused(
        f"{shown(member.name)}, line {number:,}: byte 0x{data[index]:02X} at byte {place + index:,} is {what}"
    )


def _cut(files: Sequence[tuple[str | None, int]], work: Work) -> list[tuple[str, int]]:
    """Which split so many characters are, in the order of the scratch file; the test split is cut from the end."""
    counts: dict[str, int] = {}
    for split, characters in files:
        counts[split or "train"] = counts.get(split or "train", 0) + characters
    whole = sum(counts.values())
    if whole < FEWEST:
        raise Refused(f"the text has {whole:,} characters; at least {FEWEST} are needed")
    empty = [split for split, characters in counts.items() if not characters]
    if empty or "train" not in counts:
        raise Refused(f"the files bring no text for {empty[0] if empty else 'train'}")
    if "test" in counts:
        work.findings.note(f"the files bring {' and '.join(counts)}")
        return list(counts.items())
    train = counts.pop("train")
    test = max(1, round(train * work.options.last_share))
    work.findings.note(f"the last {test:,} of {train:,} characters are the test split")
    return [("train", train - test), ("test", test), *counts.items()]


def _parts(spool: Path, cuts: Sequence[tuple[str, int]], work: Work) -> Iterator[Part]:
    """The splits, measured."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with spool.open("rb") as stream:
        text, start = "", 0
        for split, characters in cuts:
            part = Part(split, start)
            while part.characters < characters:
                text = text or decoder.decode(stream.read(_STEP))
                work.progress("checking", start + part.size, None)
                missing = characters - part.characters
                part.add(text[:missing])
                text = text[missing:]
            start += part.size
            yield part


def _bytes(spool: Path, start: int, size: int) -> Iterator[NDArray[np.uint8]]:
    with spool.open("rb") as stream:
        stream.seek(start)
        for place in range(0, size, _STEP):
            yield np.frombuffer(_read(stream, min(_STEP, size - place)), np.uint8)


def _read(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    assert len(data) == size
    return data

"""Text files: one a sample in a folder per class (or by a pattern), or one per class with a sample a line."""

import numpy as np

from core.ingest.findings import Refused
from core.ingest.labels import labelled
from core.ingest.members import Member, not_utf8
from core.ingest.names import layout, split_of, splits_of_files, stem
from core.ingest.samples import Samples, bad_label
from core.ingest.table import LONGEST_CELL
from core.ingest.unpack import Unpacked
from core.ingest.work import Work


def read(members: list[Member], unpacked: Unpacked, work: Work) -> tuple[Samples, list[str]]:
    """The texts, and the classes that folders name."""
    samples = Samples(work, "text", (), "uint8")
    places = layout(member.name for member in members)
    if (
        work.options.pattern is None
        and work.options.test_pattern is None
        and len({places.place(member.name)[1] for member in members}) < 2
    ):
        _read_lines(sorted(members, key=lambda member: member.name), samples, bool(places.splits), work)
        return samples, []
    files, declared = labelled(members, unpacked, work)
    samples.expected = len(files)
    for one in files:
        reason = _add_file(samples, one.member, one.label, one.split)
        if reason is not None:
            work.findings.skip(one.member.name, reason)
    return samples, declared


def _add_file(samples: Samples, member: Member, label: str, split: str | None) -> str | None:
    """A file is a sample, without white space around it."""
    if member.size > 4 * LONGEST_CELL:
        return f"the file has {member.size:,} bytes; a text may have {LONGEST_CELL:,} characters"
    with member.text(None) as file:
        return _add(samples, file.read(), label, split, member.name, 0)


def _read_lines(members: list[Member], samples: Samples, by_folder: bool, work: Work) -> None:
    """A line is a sample, and the file's name is its class."""
    names = [member.name for member in members]
    splits = splits_of_files(names) if by_folder else [None] * len(names)
    if not by_folder and all(split_of(name) for name in names):
        raise Refused(
            f"{names[0]} is named for a split, not for a class. One text file per class is read (or a text to go on "
            "with, as the kind corpus); a table needs its columns named in the first row, and a name in .csv or .tsv"
        )
    if len({stem(name) for name in names}) < 2:
        raise Refused(
            f"{names[0]} alone is no set of classes; send a file per class with a text a line, a folder per class with "
            "a text a file, a table with the columns label and text, or one text to go on with as the kind corpus"
        )
    for member, split in zip(members, splits, strict=True):
        label = stem(member.name)
        for row, line in enumerate(member.lines(), 1):
            if line.strip():
                reason = bad_label(label) or _add(samples, line, label, split, member.name, row)
                if reason is not None:
                    work.findings.skip(member.name, reason, row)
    work.findings.note(
        "there are no folders: a file per class, named by the file, and a sample per line; blank lines are none"
    )


def _add(samples: Samples, text: str, label: str, split: str | None, file: str, row: int) -> str | None:
    text = text.strip()
    if not text:
        return "the text is empty"
    if len(text) > LONGEST_CELL:
        return f"the text has {len(text):,} characters; the limit is {LONGEST_CELL:,}"
    if (reason := not_utf8(text)) is not None:
        return reason
    samples.add(np.frombuffer(text.encode(), np.uint8), label, split, file, row, len(text))
    return None

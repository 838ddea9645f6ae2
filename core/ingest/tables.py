"""Tables with a row per sample: a label and a text, or a label and the numbers of a series."""

from dataclasses import dataclass
from itertools import islice
from typing import Literal

import numpy as np

from core.ingest import numbers
from core.ingest.findings import Refused, shown
from core.ingest.members import Member, not_utf8
from core.ingest.names import by_split
from core.ingest.samples import Samples, bad_label
from core.ingest.table import Cells, Table, open_table
from core.ingest.work import Work

EXTENSIONS = (".csv", ".tsv", ".jsonl", ".ndjson")
LABELS = ("label", "class", "target", "y")
TEXTS = ("text", "sentence", "message")
_ROWS_TO_LOOK_AT = 100
_MOST_SHOWN = 8


@dataclass(frozen=True)
class Columns:
    """Which cells of a row are the label and the values: one text, or the numbers in the order of time."""

    kind: Literal["series", "text"]
    label: int
    values: list[int]
    count: int


def read(members: list[Member], work: Work) -> Samples:
    """All rows of all tables, which must have the same columns; train and test are told by the files' names."""
    tables = [(open_table(member), split) for member, split in by_split(members)]
    first = tables[0][0]
    columns = _columns(first, work)
    item, dtype = ((1,), "float32") if columns.kind == "series" else ((), "uint8")
    samples = Samples(work, columns.kind, item, dtype)
    if first.header is not None:
        samples.target = first.header[columns.label]
    for table, split in tables:
        own = columns if table is first else _same_columns(table, first, columns)
        for row, cells in table.rows():
            reason = _add(samples, table, own, row, cells, split)
            if reason is not None:
                work.findings.skip(table.member.name, reason, row)
        _note(table, split, own, work)
    return samples


def _add(samples: Samples, table: Table, columns: Columns, row: int, cells: Cells, split: str | None) -> str | None:
    """Add one row, or say why it cannot be."""
    if len(cells) != columns.count:
        return f"the row has {len(cells):,} cells, the first has {columns.count:,}"
    missing = next((index for index in (columns.label, *columns.values) if cells[index] is None), None)
    if missing is not None:
        return f"there is no {_name(table, missing)}, or it is neither text nor number"
    label = (cells[columns.label] or "").strip()
    reason = not_utf8(label) or bad_label(label)
    if reason is not None:
        return reason
    name, values = table.member.name, [cells[index] or "" for index in columns.values]
    if columns.kind == "series":
        parsed = numbers.parse(values, lambda index: _name(table, columns.values[index]))
        if isinstance(parsed, str):
            return parsed
        samples.add(parsed[:, None], label, split, name, row)
        return None
    (text,) = values
    if not text.strip():
        return "the text is empty"
    if (reason := not_utf8(text)) is not None:
        return reason
    try:
        encoded = text.encode()
    except UnicodeEncodeError:  # half of a pair, which JSON can express
        return "the text has half of a surrogate pair"
    samples.add(np.frombuffer(encoded, np.uint8), label, split, name, row, len(text))
    return None


def _columns(table: Table, work: Work) -> Columns:
    header, file = table.header, table.member.name
    looked_at = [cells for _, cells in islice(table.rows(), _ROWS_TO_LOOK_AT)]
    if not looked_at:
        raise Refused(f"{file} has no rows below its header")
    if header is None:
        if work.options.label is not None:
            raise Refused(f"{file} has no header, so there is no column {shown(work.options.label)!r}; add one")
        count = len(looked_at[0])
        if work.options.kind == "text" or count < 2:
            raise Refused(f"{file} has no header; the first row must name the columns, as in label,text")
        return Columns("series", 0, list(range(1, count)), count)
    label = _find(table, work.options.label, LABELS)
    if label is None:
        raise Refused(
            f"{file}: none of the columns is called {_or(LABELS)}; name it by the option label. {_seen(header)}"
        )
    others = [index for index in range(len(header)) if index != label]
    if not others:
        raise Refused(
            f"{file} has only one column, {shown(header[label])!r}; a text or numbers must be beside the label"
        )
    text = _find(table, work.options.text, TEXTS)
    kind = work.options.kind or ("text" if text is not None else None)
    if kind is None:
        numeric = [_are_numbers(cells, others) for cells in looked_at if len(cells) == len(header)]
        kind = "series" if sum(numeric) > len(numeric) / 2 else "text"
    if kind == "text":
        if text is None and len(others) == 1:
            text = others[0]
        if text is None or text == label:
            raise Refused(
                f"{file}: it is not plain which column is the text; name it by the option text, or send only numbers "
                f"beside the label for a series. {_seen(header)}"
            )
        return Columns("text", label, [text], len(header))
    if table.delimiter is None:
        raise Refused(f"{file}: series are read from CSV, TSV, .ts and npz, not from JSON Lines")
    if header[0] == "" and len(others) > 1 and 0 in others:
        others.remove(0)
        work.findings.note("the first column has no name: it is taken for a row number and not read")
    return Columns("series", label, others, len(header))


def _same_columns(table: Table, first: Table, columns: Columns) -> Columns:
    """The same columns by name in another file, in whatever order; all columns count for a series."""
    if (table.header is None) != (first.header is None):
        raise Refused(f"{first.member.name} and {table.member.name}: only one of them has a header")
    if first.header is None or table.header is None:
        count = len(next(table.rows(), (0, []))[1])
        if count != columns.count:
            raise Refused(f"{first.member.name} has {columns.count:,} columns, {table.member.name} has {count:,}")
        return columns
    place = {name: index for index, name in enumerate(table.header)}
    missing = [first.header[one] for one in (columns.label, *columns.values) if first.header[one] not in place]
    more = set(table.header) - set(first.header) - {""} if columns.kind == "series" else set()
    if missing or more:
        what = f"lacks the column {shown(missing[0])!r}" if missing else f"has one more column, {shown(min(more))!r}"
        raise Refused(f"{table.member.name} {what} that {first.member.name} {'has' if missing else 'lacks'}")
    values = [place[first.header[index]] for index in columns.values]
    return Columns(columns.kind, place[first.header[columns.label]], values, len(table.header))


def _find(table: Table, asked: str | None, known: tuple[str, ...]) -> int | None:
    header = table.header or []
    if asked is not None:
        if asked not in header:
            raise Refused(f"{table.member.name} has no column {shown(asked)!r}. {_seen(header)}")
        return header.index(asked)
    lower = [name.lower() for name in header]
    return next((lower.index(name) for name in known if name in lower), None)


def _are_numbers(cells: Cells, columns: list[int]) -> bool:
    """Or holes between numbers: they are named later."""
    given = [cell for index in columns if (cell := cells[index]) is not None and cell.strip()]
    return bool(given) and all(map(numbers.is_number, given))


def _note(table: Table, split: str | None, columns: Columns, work: Work) -> None:
    form = "JSON Lines" if table.delimiter is None else f"separated by {table.delimiter!r}"
    values = _name(table, columns.values[0])
    if len(columns.values) > 1:
        values += f" to {_name(table, columns.values[-1])}"
    work.findings.note(
        f"{table.member.name}{f' ({split})' if split else ''}: {form}; label from {_name(table, columns.label)}, "
        f"{columns.kind} from {values}" + ("; no header" if table.header is None else "")
    )


def _name(table: Table, index: int) -> str:
    named = table.header is not None and table.header[index]
    return f"column {shown(named)!r}" if named else f"column {index + 1}"


def _seen(header: list[str]) -> str:
    names = ", ".join(shown(name) or "(no name)" for name in header[:_MOST_SHOWN])
    return f"Columns: {names}{', ...' if len(header) > _MOST_SHOWN else ''}"


def _or(names: tuple[str, ...]) -> str:
    return ", ".join(names[:-1]) + " or " + names[-1]

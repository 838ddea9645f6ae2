"""One long table of a forecast: a row a moment, a column a series; cut into train and test along time."""

from array import array
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.ingest import file, moments, numbers
from core.ingest.file import Tensor
from core.ingest.findings import Refused, shown
from core.ingest.members import Member, not_utf8
from core.ingest.samples import bad_label
from core.ingest.table import Cells, Table, open_table
from core.ingest.tables import LABELS, TEXTS
from core.ingest.work import Work

FEWEST_ROWS = 10
_ROWS_TO_LOOK_AT = 100
_MISSING = ("", "nan", "na", "n/a", "null", "none", "?")


@dataclass
class _Columns:
    """What is read of a row: the place of the moment, if there is one, and of the numbers, with their names."""

    names: list[str]
    places: list[int]
    time: int | None
    count: int
    holes: list[tuple[int, int]] = field(default_factory=list)
    """(row, column) of what is missing, counted from 0."""


def is_one(group: str, members: list[Member], work: Work) -> bool:
    """Whether the files are a forecast's table: because the options say so, or by a column of moments beside numbers.

    Refused: the options say so, and it is no single table.
    """
    options = work.options
    asked = options.task == "forecast" or options.target is not None or options.missing != "refuse"
    if asked and (group != "tables" or len(members) != 1):
        raise Refused("a forecast is learnt from one CSV or TSV file with a row for each moment; send that one alone")
    if asked or group != "tables" or len(members) != 1:
        return asked
    if options.task is not None or options.kind not in (None, "series") or options.label or options.text:
        return False
    table = open_table(members[0])
    if table.header is None or table.delimiter is None:
        return False
    if {name.lower() for name in table.header} & {*LABELS, *TEXTS}:
        return False
    looked_at = [cells for _, cells in islice(table.rows(), _ROWS_TO_LOOK_AT)]
    time = _time(table.header, looked_at)
    rest = [cell for cells in looked_at for place, cell in enumerate(cells) if place != time]
    return time is not None and bool(rest) and all(_is_missing(cell) or numbers.is_number(cell or "") for cell in rest)


def pack(member: Member, output: Path, source: str, work: Work) -> tuple[dict[str, Any], dict[str, int]]:
    """Write the data set file; gives its manifest and the rows of each split.

    Refused: no header, a cell that is no number, rows that are not in the order of time, or too few of them.
    """
    table = open_table(member)
    columns = _columns(table, member)
    targets = _targets(columns, member, work)
    rows = _rows(table, columns, work)
    _fill(rows, columns, table, work)
    if len(rows) < FEWEST_ROWS:
        raise Refused(f"{member.name} has {len(rows):,} rows; a forecast needs at least {FEWEST_ROWS}")
    held = min(max(1, round(len(rows) * work.options.test_share)), len(rows) - 3)
    parts = {"train": rows[:-held], "test": rows[-held:]}
    manifest = {
        "kind": "series",
        "task": "forecast",
        "shape": list(rows.shape),
        "dtype": "float32",
        "classes": [],
        "columns": columns.names,
        "targets": targets,
        "source": source,
    }
    values = work.findings.values
    values["shape"] = manifest["shape"]
    values["columns"] = {split: _described(columns.names, part) for split, part in parts.items()}
    note = f"{held:,} of {len(rows):,} rows, the last in time, are the test split; foretold: {', '.join(targets)}"
    work.findings.note(note)
    work.progress("writing", 0, len(rows))
    tensors = [Tensor(f"{name}.rows", "float32", part.shape, iter([part])) for name, part in parts.items()]
    file.write(output, manifest, tensors)
    return manifest, {name: len(part) for name, part in parts.items()}


def _columns(table: Table, member: Member) -> _Columns:
    header = table.header
    if header is None or table.delimiter is None:
        raise Refused(f"{member.name} has no header; the first row must name the columns, as in date,load,temperature")
    looked_at = [cells for _, cells in islice(table.rows(), _ROWS_TO_LOOK_AT)]
    time = _time(header, looked_at)
    places = [place for place in range(len(header)) if place != time]
    unnamed = [place for place in places if not header[place]]
    if unnamed:
        raise Refused(f"{member.name}: column {unnamed[0] + 1} has no name; name every column in the first row")
    if not places:
        raise Refused(f"{member.name} has no column of numbers beside {shown(header[0])!r}")
    for name in filter(None, header):
        reason = not_utf8(name) or bad_label(name)
        if reason is not None:
            raise Refused(f"{member.name}, row 1, the name of a column: {reason.replace('the label', 'it')}")
    return _Columns([header[place] for place in places], places, time, len(header))


def _time(header: list[str], rows: list[Cells]) -> int | None:
    """The column of moments: the first one that is named or written like them."""
    for place, name in enumerate(header):
        cells = [cell for cells in rows if place < len(cells) and (cell := cells[place])]
        if cells and (name.lower() in moments.NAMES or all(moments.is_written(cell) for cell in cells)):
            return place
    return None


def _targets(columns: _Columns, member: Member, work: Work) -> list[str]:
    """The columns that the option names, separated by commas, or the last one."""
    if work.options.target is None:
        return columns.names[-1:]
    asked = [name.strip() for name in work.options.target.split(",")]
    for name in asked:
        if name not in columns.names:
            seen = ", ".join(shown(one) for one in columns.names[:8])
            raise Refused(f"{member.name} has no column of numbers {shown(name)!r} to foretell; there are {seen}")
    return [name for name in columns.names if name in asked]


def _rows(table: Table, columns: _Columns, work: Work) -> NDArray[np.float32]:
    """All rows [T, F], with zeros where something is missing, which ``columns.holes`` name."""
    name, width = table.member.name, len(columns.places)
    values, clock = array("f"), moments.Clock(name)
    for number, (row, cells) in enumerate(table.rows()):
        if len(cells) != columns.count:
            raise Refused(f"{name}, row {row}: the row has {len(cells):,} cells, the header has {columns.count:,}")
        if columns.time is not None:
            clock.tick((cells[columns.time] or "").strip(), row)
        for place, column in enumerate(columns.places):
            if _is_missing(cells[column]):
                if work.options.missing == "refuse":
                    where = f"{name}, row {row}: column {shown(columns.names[place])!r} is empty"
                    raise Refused(f"{where}; fill it, or give the option missing (previous, interpolate or zero)")
                columns.holes.append((number, place))
                cells[column] = "0"
        parsed = numbers.parse([cells[column] or "" for column in columns.places], _place(columns.names))
        if isinstance(parsed, str):
            raise Refused(f"{name}, row {row}: {parsed}")
        values.frombytes(parsed.tobytes())
        if len(values) * values.itemsize > work.memory_bytes:
            raise Refused(
                f"the rows of {name} take more than {work.memory_bytes:,} bytes, which is the limit for what has to be "
                "in memory; leave columns or early rows out"
            )
        work.progress("reading", number)
    if columns.time is not None and table.header is not None:
        work.findings.values["time"] = {"column": table.header[columns.time], **clock.told()}
    return np.frombuffer(values.tobytes(), np.float32).reshape(-1, width).copy()


def _place(names: list[str]) -> Any:
    return lambda index: f"column {shown(names[index])!r}"


def _is_missing(cell: str | None) -> bool:
    return cell is None or cell.strip().lower() in _MISSING


def _fill(rows: NDArray[np.float32], columns: _Columns, table: Table, work: Work) -> None:
    """What is missing, as the option says; zeros are there already."""
    how = work.options.missing
    for place, name in enumerate(columns.names):
        holes = np.array([row for row, column in columns.holes if column == place], np.int64)
        if not len(holes):
            continue
        known = np.setdiff1d(np.arange(len(rows)), holes)
        if not len(known):
            raise Refused(f"{table.member.name}: column {shown(name)!r} has no number at all; leave it out")
        if how == "previous" and known[0] > 0:
            raise Refused(
                f"{table.member.name}: column {shown(name)!r} begins without a number, so there is no previous one; "
                "cut the first rows off, or use missing zero or interpolate"
            )
        if how == "previous":
            rows[holes, place] = rows[known[np.searchsorted(known, holes) - 1], place]
        elif how == "interpolate":
            rows[holes, place] = np.interp(holes, known, rows[known, place])
        work.findings.note(f"column {shown(name)!r}: {len(holes):,} missing values were filled ({how})")


def _described(names: list[str], rows: NDArray[np.float32]) -> dict[str, dict[str, float]]:
    return {name: numbers.described(column) for name, column in zip(names, rows.T, strict=True)}

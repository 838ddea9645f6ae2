"""One table of an upload: CSV, TSV or JSON Lines, as rows of cells under a header."""

import csv
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from core.ingest import numbers
from core.ingest.findings import Refused, shown
from core.ingest.members import Member
from core.ingest.names import extension

LONGEST_CELL = 2**20
"""Characters. More is mostly a quote that was not closed."""
_JSON = (".jsonl", ".ndjson")
_DELIMITERS = ",;\t|"
Cells = list[str | None]


@dataclass(frozen=True)
class Table:
    """``header`` None: the first row is numbers, so it is data. ``delimiter`` None: JSON Lines."""

    member: Member
    delimiter: str | None
    header: list[str] | None

    def rows(self) -> Iterator[tuple[int, Cells]]:
        """(line in the file at which the row begins, counted from 1; its cells), without header and blank lines.

        JSON Lines: cells are in the header's order; None where the field is missing, or neither text nor number.
        Refused: the file is no such table from some row on.
        """
        if self.delimiter is None:
            yield from self._objects()
        else:
            rows = _delimited(self.member, self.delimiter)
            if self.header is not None:
                next(rows)
            yield from rows

    def _objects(self) -> Iterator[tuple[int, Cells]]:
        for row, value in _json_lines(self.member):
            yield row, [_cell(value.get(key)) for key in self.header or []]


def open_table(member: Member) -> Table:
    """Look at the beginning. Refused: empty, or columns of one name."""
    if extension(member.name) in _JSON:
        first = next(_json_lines(member), None)
        if first is None:
            raise Refused(f"{member.name} is empty")
        return Table(member, None, list(first[1]))
    delimiter = _delimiter(member)
    cells = next(_delimited(member, delimiter), (0, []))[1]
    if not cells:
        raise Refused(f"{member.name} is empty")
    header = [(cell or "").strip() for cell in cells]
    if all(map(numbers.is_number, header)):
        return Table(member, delimiter, None)
    twice = [name for name, count in Counter(header).items() if count > 1 and name]
    if twice:
        raise Refused(
            f"{member.name}, row 1: two columns are called {shown(twice[0])!r}; every column needs a name of its own"
        )
    return Table(member, delimiter, header)


def _delimiter(member: Member) -> str:
    if extension(member.name) == ".tsv":
        return "\t"
    line = next((line for line in member.lines() if line.strip()), "")
    return max(_DELIMITERS, key=line.count)


def _delimited(member: Member, delimiter: str) -> Iterator[tuple[int, Cells]]:
    """Rows of a file, strictly by RFC 4180: a quote that is not closed is an error, not the rest of the file."""
    limit = csv.field_size_limit(LONGEST_CELL)  # of the whole process, so it is put back
    try:
        reader = csv.reader(member.lines(newline=""), delimiter=delimiter, strict=True)
        while True:
            row = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                hint = (
                    "is a quote not closed?"
                    if "limit" in str(error) or "end of data" in str(error)
                    else "check the quotes"
                )
                raise Refused(f"{member.name}, row {row}: {error}; {hint}") from error
            if any(map(str.strip, cells)):
                yield row, list(cells)
    finally:
        csv.field_size_limit(limit)


def _json_lines(member: Member) -> Iterator[tuple[int, dict[str, object]]]:
    """(line, object); a line that is none is refused if it is the first, else given as an empty object."""
    for row, line in enumerate(member.lines(newline="\n"), 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            if row == 1:
                raise Refused(
                    f"{member.name}, row 1 is not JSON: {shown(str(error))}; each line must be one object"
                ) from error
            value = None
        if row == 1 and not isinstance(value, dict):
            raise Refused(f"{member.name}, row 1 is not a JSON object; each line must be one, with a label and a text")
        yield row, value if isinstance(value, dict) else {}


def _cell(value: object) -> str | None:
    if isinstance(value, str):
        return value
    return json.dumps(value) if isinstance(value, bool | int | float) else None

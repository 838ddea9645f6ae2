"""Moments in the column of time of a table: whether they are in order, and how far apart."""

import re
from array import array
from datetime import UTC, datetime
from typing import Any

import numpy as np

from core.ingest import numbers
from core.ingest.findings import Refused, shown

NAMES = ("date", "time", "datetime", "timestamp", "ds", "year", "month", "week", "day", "hour")
_MONTH = re.compile(r"\d{4}-\d{2}")


def is_written(cell: str) -> bool:
    """Whether a cell is a date or a time of ISO 8601, and not just a number."""
    return not numbers.is_number(cell) and seconds(cell) is not None


def seconds(cell: str) -> float | None:
    """Of a moment: since 1970 of a date (without a zone UTC is meant), a number as it is; None: cannot be told."""
    if numbers.is_number(cell):
        value = float(cell)
        return value if np.isfinite(value) else None
    try:
        found = datetime.fromisoformat(f"{cell}-01" if _MONTH.fullmatch(cell) else cell)
    except ValueError:
        return None
    return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).timestamp()


class Clock:
    """Takes the moments of a file row by row."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._first = self._last = ""
        self._before: float | None = None
        self._steps = array("d")
        self._unread = 0

    def tick(self, cell: str, row: int) -> None:
        """The moment of one more row. Refused if it is not later than the one before."""
        now = seconds(cell)
        if now is None:
            self._unread += 1
        elif self._before is not None:
            if now <= self._before:
                raise Refused(
                    f"{self._file}, row {row}: {shown(cell)!r} is not later than {shown(self._last)!r} in the row "
                    "before; the rows must stand in the order of time, each moment once"
                )
            self._steps.append(now - self._before)
        self._before = now
        self._first, self._last = self._first or cell, cell

    def told(self) -> dict[str, Any]:
        """First and last moment, the usual step, how many steps are others, and how many moments could not be read."""
        steps, counts = np.unique(np.array(self._steps), return_counts=True)
        usual = float(steps[counts.argmax()]) if len(steps) else None
        return {
            "first": shown(self._first),
            "last": shown(self._last),
            "step": usual,
            "other_steps": len(self._steps) - int(counts.max()) if len(steps) else 0,
            "not_read": self._unread,
        }

"""What an ingest finds out about the files, for people: bounded in size, JSON-able."""

import unicodedata
from collections import Counter
from typing import Any

MOST_NAMED = 100
"""So many files, classes or rows are named in a list; the totals count all."""
MOST_SKIPPED = 0.10
"""From this share of bad samples on, the upload is refused."""
_LONGEST_SHOWN, _LONGEST_MESSAGE = 200, 1500


class Refused(ValueError):
    """The files make no dataset. The message names file, row and reason; ``detail`` has the findings so far."""

    def __init__(self, message: str, detail: dict[str, Any] | None = None) -> None:
        super().__init__(message if len(message) <= _LONGEST_MESSAGE else message[: _LONGEST_MESSAGE - 1] + "…")
        self.detail = detail or {}


def shown(text: str) -> str:
    """Text of unknown origin for messages and JSON: ``printable``, and cut when long."""
    return printable(text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 1] + "…")


def printable(text: str) -> str:
    """Control characters and broken Unicode escaped."""
    if text.isprintable():
        return text
    return "".join(_escaped(one) if unicodedata.category(one) in ("Cc", "Cs") else one for one in text)


def _escaped(character: str) -> str:
    return (
        character.encode("ascii", "backslashreplace").decode() if ord(character) > 127 else f"\\x{ord(character):02x}"
    )


class Findings:
    """Collects while files are read. ``values`` holds the facts that are known at the end."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.skipped: list[dict[str, Any]] = []
        self.skipped_total = 0
        self.ignored: list[str] = []
        self.ignored_total = 0
        self.converted: Counter[str] = Counter()
        self.notes: list[str] = []

    def skip(self, file: str, reason: str, row: int | None = None) -> None:
        """A sample that cannot be read is left out, and named."""
        self.skipped_total += 1
        if len(self.skipped) < MOST_NAMED:
            place = {"file": shown(file)} if row is None else {"file": shown(file), "row": row}
            self.skipped.append({**place, "reason": shown(reason)})

    def ignore(self, file: str) -> None:
        """A file that is no sample: hidden, or of another kind."""
        self.ignored_total += 1
        if len(self.ignored) < MOST_NAMED:
            self.ignored.append(shown(file))

    def note(self, text: str) -> None:
        """How the files were read, a sentence each."""
        text = text if len(text) <= _LONGEST_MESSAGE else text[: _LONGEST_MESSAGE - 1] + "…"
        if text not in self.notes and len(self.notes) < MOST_NAMED:
            self.notes.append(text)

    def check(self, kept: int) -> None:
        """Raises Refused when nothing is left, or when too large a share of the samples was skipped."""
        if self.skipped_total == 0 and kept == 0:
            raise Refused("the files hold no samples")
        if self.skipped_total >= MOST_SKIPPED * (kept + self.skipped_total) and self.skipped_total:
            first = self.skipped[0]
            place = f"{first['file']}, row {first['row']}" if "row" in first else first["file"]
            raise Refused(
                f"{self.skipped_total:,} of {kept + self.skipped_total:,} samples cannot be read "
                f"(fewer than {MOST_SKIPPED:.0%} may be bad). The first: {place}: {first['reason']}"
            )

    def as_dict(self) -> dict[str, Any]:
        """Everything found so far."""
        return {
            **self.values,
            "skipped": self.skipped,
            "skipped_total": self.skipped_total,
            "ignored_files": self.ignored,
            "ignored_files_total": self.ignored_total,
            "converted": dict(sorted(self.converted.items())),
            "notes": self.notes,
        }

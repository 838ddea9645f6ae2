"""What every reader of files is given."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from core.ingest.findings import Findings
from core.specs import IngestOptions

_SECONDS_BETWEEN_REPORTS = 0.3


class Progress:
    """Passes on to ``report(stage, done, total)`` a few times a second, and at each new stage."""

    def __init__(self, report: Callable[[str, int, int | None], None]) -> None:
        self._report = report
        self._stage = ""
        self._last = 0.0

    def __call__(self, stage: str, done: int, total: int | None = None) -> None:
        now = time.monotonic()
        if stage != self._stage or now - self._last >= _SECONDS_BETWEEN_REPORTS:
            self._stage, self._last = stage, now
            self._report(stage, done, total)


@dataclass(frozen=True)
class Work:
    """One ingest under way. ``folder`` is its own, emptied at the end; ``limit_bytes`` bounds what is written there,
    ``memory_bytes`` what has to be in memory as a whole.

    ``opened`` closes at the end, however that comes, what was opened for the whole time.
    """

    options: IngestOptions
    findings: Findings
    progress: Progress
    folder: Path
    limit_bytes: int
    memory_bytes: int
    opened: ExitStack

"""How a contender is driven: a number of steps comes in on stdin, seconds and loss go out on stdout, line by line.

Standard library only, because every contender's environment imports it. Between rounds a contender waits here, so that
the others have the cores.
"""

import json
import os
import sys
import time
from collections.abc import Mapping
from typing import Any, SupportsFloat


class Rounds:
    """Counts steps; pauses the training after each round, and ends the process when no other round is asked for."""

    def __init__(self) -> None:
        self._answers = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)  # whatever a library prints is no answer
        self._left = 0
        self._began = 0.0
        self._losses: list[tuple[SupportsFloat, int]] = []

    def ready(self, versions: dict[str, str], settings: str) -> None:
        """Training can begin; waits for the first round. ``settings`` is a line for the report."""
        self._say({"versions": versions, "settings": settings})
        self._wait()

    def step(self, loss: SupportsFloat, steps: int = 1) -> None:
        """``steps`` more are done, with this mean training loss."""
        self._losses.append((loss, steps))
        self._left -= steps
        assert self._left >= 0, "a round ends between two reports of the contender"
        if self._left == 0:
            seconds = time.perf_counter() - self._began
            summed = sum(float(value) * count for value, count in self._losses)
            self._say({"seconds": seconds, "loss": summed / sum(count for _, count in self._losses)})
            self._wait()

    def _wait(self) -> None:
        line = sys.stdin.readline()
        if not line:
            sys.stderr.flush()
            os._exit(0)  # out of the middle of somebody's training loop
        self._left, self._losses = int(line), []
        self._began = time.perf_counter()

    def _say(self, answer: Mapping[str, Any]) -> None:
        print(json.dumps(answer), file=self._answers, flush=True)

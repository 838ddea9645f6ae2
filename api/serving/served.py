"""What was served of each version in the last hour, and since the start for Prometheus."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from starlette.requests import ClientDisconnect

from api import objects
from api.metrics import OTHER, Counters, OfVersion
from api.serving.ledger import ERRORS, MINUTES, REQUESTS, SAMPLES, TIMES, Ledger, quantile_ms
from api.serving.versions import Version

MOST_LABELLED = 100
"""Versions with time series of their own on /metrics; all others are counted as ``other``."""


@dataclass
class Asked:
    """One request: whoever answers it says how many samples it had."""

    samples: int = 0


class Served:
    """Counts; for any thread. Memory is bounded by the ledger and by ``MOST_LABELLED``."""

    def __init__(self, counters: Counters, ledger: Ledger) -> None:
        self._counters, self._ledger = counters, ledger
        self._lock = threading.Lock()
        self._labelled: dict[tuple[str, str], int] = {}  # and the minute in which it was asked last
        self._none_idle = -1  # the minute in which no place was free
        self._series: dict[tuple[str, str], OfVersion] = {}

    @contextmanager
    def counting(self, version: Version, began: float) -> Iterator[Asked]:
        """Count a request that began at this ``perf_counter()``; one whose client goes away is not counted."""
        asked = Asked()
        try:
            yield asked
        except ClientDisconnect:
            raise
        except Exception:
            self.count(version, 0, None)
            raise
        self.count(version, asked.samples, time.perf_counter() - began)

    def count(self, version: Version, samples: int, seconds: float | None) -> None:
        """Count a request that took so long; ``seconds`` are null when it was refused or failed."""
        minute = _minute()
        with self._lock:
            self._ledger.count(version.model_id, version.number, minute, samples, seconds)
            labels = self._labels((version.model, str(version.number)), minute)
            series = self._series.get(labels)
            if series is None:
                series = self._series[labels] = self._counters.of_version(labels)
        if seconds is None:
            series.failed.add()
        else:
            series.answered.add()
            series.samples.add(samples)
            series.seconds.observe(seconds)

    def _labels(self, wanted: tuple[str, str], minute: int) -> tuple[str, str]:
        """The version's own, while there is room or one that nobody asked for an hour can give up its place."""
        if wanted not in self._labelled and len(self._labelled) >= MOST_LABELLED:
            if self._none_idle == minute:
                return OTHER
            idle = min(self._labelled, key=self._labelled.__getitem__)
            if self._labelled[idle] > minute - MINUTES or not self._counters.forget(idle):
                self._none_idle = minute
                return OTHER
            del self._labelled[idle], self._series[idle]
        self._labelled[wanted] = minute
        return wanted

    def of(self, model_id: str, number: int) -> objects.Served:
        """The last hour of one version."""
        with self._lock:
            total, last = self._ledger.total(model_id, number, _minute())
        times, requests = total[TIMES:], int(total[REQUESTS])
        return {
            "version": number,
            "requests": requests,
            "samples": int(total[SAMPLES]),
            "errors": int(total[ERRORS]),
            "p50_ms": quantile_ms(times, 0.5),
            "p95_ms": quantile_ms(times, 0.95),
            "p99_ms": quantile_ms(times, 0.99),
            "last_request_at": datetime.fromtimestamp(last, UTC) if requests else None,
        }

    def of_model(self, model_id: str) -> list[objects.Served]:
        """The last hour of a model's versions that were asked in it, the one asked most first."""
        with self._lock:
            numbers = self._ledger.versions(model_id)
        found = [self.of(model_id, number) for number in numbers]
        return sorted((one for one in found if one["requests"]), key=lambda one: (-one["requests"], -one["version"]))


def _minute() -> int:
    return int(time.monotonic() // 60)

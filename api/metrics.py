"""Prometheus metrics: the state of the system, read from the database at scrape, and what this process counts."""

import os
from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess, values
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from api import VERSION
from core import fleet
from core.db import now
from core.tables import STATES, Job, Worker

OTHER = ("other", "other")
"""The labels of versions that have none of their own."""
_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


def share(folder: str) -> None:
    """From now on count in files of this folder, which all processes of this API add up; before any ``Counters``."""
    os.environ[_FOLDER] = folder
    values.ValueClass = values.get_value_class()  # type: ignore[no-untyped-call]  # it looks at the environment


def forget_process(pid: int) -> None:
    """A process that shared its counts has ended: what it had in flight is over."""
    multiprocess.mark_process_dead(pid, os.environ[_FOLDER])  # type: ignore[no-untyped-call]


@dataclass(frozen=True)
class OfVersion:
    """What is counted of one version's requests."""

    answered: Counter
    failed: Counter
    samples: Counter
    seconds: Histogram


class Counters:
    """What this process counts, or all those that share a folder."""

    def __init__(self) -> None:
        self.shared = _FOLDER in os.environ
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "epochd_http_requests", "HTTP requests.", ["method", "route", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "epochd_http_request_seconds", "HTTP request time.", ["route"], buckets=BUCKETS, registry=self.registry
        )
        self._of_route: dict[tuple[str, str, int], tuple[Counter, Histogram | None]] = {}
        self.predictions = Counter("epochd_predictions", "Samples predicted.", registry=self.registry)
        self.tokens = Counter("epochd_generated_tokens", "Tokens that language models wrote.", registry=self.registry)
        self.batch = Histogram(
            "epochd_prediction_batch_samples",
            "Samples computed together.",
            buckets=(1, 2, 4, 8, 16, 32, 64),
            registry=self.registry,
        )
        self.in_flight = Gauge(
            "epochd_predictions_in_flight",
            "Prediction requests at work or waiting.",
            registry=self.registry,
            multiprocess_mode="livesum",
        )
        of_version = ["model", "version"]
        self.version_requests = Counter(
            "epochd_model_requests",
            "Prediction requests by version and result.",
            [*of_version, "result"],
            registry=self.registry,
        )
        self.version_samples = Counter(
            "epochd_model_samples", "Samples predicted by version.", of_version, registry=self.registry
        )
        self.version_seconds = Histogram(
            "epochd_model_request_seconds",
            "Time of prediction requests by version.",
            of_version,
            buckets=BUCKETS,
            registry=self.registry,
        )
        build = Gauge(
            "epochd_build_info", "The version that runs.", ["version"], registry=self.registry, multiprocess_mode="max"
        )
        build.labels(VERSION).set(1)

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request under its route's template."""
        series = self._of_route.get((method, route, status))
        if series is None:
            timed = not route.endswith("/stream")  # these last as long as their job
            series = self.requests.labels(method, route, status), self.seconds.labels(route) if timed else None
            self._of_route[method, route, status] = series
        requests, times = series
        requests.inc()
        if times is not None:
            times.observe(seconds)

    def of_version(self, labels: tuple[str, str]) -> OfVersion:
        """The time series of a version; to look them up each time would cost more than to count."""
        return OfVersion(
            self.version_requests.labels(*labels, "ok"),
            self.version_requests.labels(*labels, "error"),
            self.version_samples.labels(*labels),
            self.version_seconds.labels(*labels),
        )

    def forget(self, labels: tuple[str, str]) -> bool:
        """End the time series of a version, which cannot be done where counts are shared."""
        if self.shared:
            return False
        for result in ("ok", "error"):
            self.version_requests.remove(*labels, result)
        self.version_samples.remove(*labels)
        self.version_seconds.remove(*labels)
        return True

    def exposition(self, session: Session) -> bytes:
        """Everything in Prometheus' text format."""
        system = CollectorRegistry()
        system.register(_System(session))
        counted = self.registry
        if self.shared:
            counted = CollectorRegistry()
            multiprocess.MultiProcessCollector(counted)  # type: ignore[no-untyped-call]
        return generate_latest(counted) + generate_latest(system)


METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class _System(Collector):
    """The state of the whole system, from the database."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def describe(self) -> list[GaugeMetricFamily]:
        return []  # nothing is read before the scrape

    def collect(self) -> Iterator[GaugeMetricFamily]:
        at = now(self._session)
        counts: dict[str, int] = dict(self._session.execute(select(Job.state, func.count()).group_by(Job.state)).all())
        jobs = GaugeMetricFamily("epochd_jobs", "Jobs by state.", labels=["state"])
        for state in STATES:
            jobs.add_metric([state], counts.get(state, 0))
        yield jobs
        yield GaugeMetricFamily("epochd_queue_length", "Jobs that wait for a worker.", counts.get("queued", 0))
        oldest = self._session.scalar(select(func.min(Job.created_at)).where(Job.state == "queued"))
        waits = 0.0 if oldest is None else max(0.0, (at - oldest).total_seconds())
        yield GaugeMetricFamily("epochd_queue_oldest_seconds", "Age of the oldest job that waits.", waits)
        expired = select(func.count()).where(Job.state == "running", Job.lease_expires_at < at)
        leases = GaugeMetricFamily("epochd_leases", "Leases of running jobs.", labels=["state"])
        late = self._session.scalar(expired) or 0
        leases.add_metric(["live"], counts.get("running", 0) - late)
        leases.add_metric(["expired"], late)
        yield leases
        workers = list(self._session.scalars(select(Worker)))
        family = GaugeMetricFamily("epochd_workers", "Worker processes by status.", labels=["status"])
        for status in ("online", "stopping", "offline"):
            family.add_metric([status], sum(fleet.status(worker, at) == status for worker in workers))
        yield family
        slots = sum(worker.slots for worker in workers if fleet.status(worker, at) == "online")
        yield GaugeMetricFamily("epochd_worker_slots", "Training slots of the workers that are online.", slots)

"""Prometheus metrics: the system's state, read from the database at scrape, and what this API's processes count."""

from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from api import VERSION
from api.tally import Family, Number, Tally, Times
from core import fleet
from core.db import now
from core.tables import STATES, Job, Worker

OTHER = ("other", "other")
"""The labels of versions that have none of their own."""
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
REQUESTS = Family("epochd_http_requests", "HTTP requests.", ("method", "route", "status"))
SECONDS = Family("epochd_http_request_seconds", "HTTP request time.", ("route",), BUCKETS)
PREDICTIONS = Family("epochd_predictions", "Samples predicted.")
TOKENS = Family("epochd_generated_tokens", "Tokens that language models wrote.")
BATCH = Family("epochd_prediction_batch_samples", "Samples computed together.", (), (1, 2, 4, 8, 16, 32, 64))
IN_FLIGHT = Family("epochd_predictions_in_flight", "Prediction requests at work or waiting.", gauge=True)
OF_VERSION = ("model", "version")
VERSION_REQUESTS = Family(
    "epochd_model_requests", "Prediction requests by version and result.", (*OF_VERSION, "result")
)
VERSION_SAMPLES = Family("epochd_model_samples", "Samples predicted by version.", OF_VERSION)
VERSION_SECONDS = Family("epochd_model_request_seconds", "Time of prediction requests by version.", OF_VERSION, BUCKETS)
FAMILIES = (
    REQUESTS,
    SECONDS,
    PREDICTIONS,
    TOKENS,
    BATCH,
    IN_FLIGHT,
    VERSION_REQUESTS,
    VERSION_SAMPLES,
    VERSION_SECONDS,
)


@dataclass(frozen=True)
class OfVersion:
    """What is counted of one version's requests."""

    answered: Number
    failed: Number
    samples: Number
    seconds: Times


class Counters(Collector):
    """What the processes of this API count, in a tally that they share."""

    def __init__(self, tally: Tally | None = None) -> None:
        self._tally = tally or Tally()
        self.registry = CollectorRegistry()
        self.registry.register(self)
        self._of_route: dict[tuple[str, str, int], tuple[Number, Times | None]] = {}
        self.predictions = self._tally.number(PREDICTIONS)
        self.tokens = self._tally.number(TOKENS)
        self.batch = self._tally.times(BATCH)
        self.in_flight = self._tally.number(IN_FLIGHT)
        build = Gauge("epochd_build_info", "The version that runs.", ["version"], registry=self.registry)
        build.labels(VERSION).set(1)

    def describe(self) -> list[Metric]:
        return []  # nothing is read before the scrape

    def collect(self) -> Iterator[Metric]:
        return map(self._tally.collect, FAMILIES)

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request under its route's template."""
        series = self._of_route.get((method, route, status))
        if series is None:
            timed = not route.endswith("/stream")  # these last as long as their job
            times = self._tally.times(SECONDS, route) if timed else None
            series = self._tally.number(REQUESTS, method, route, str(status)), times
            self._of_route[method, route, status] = series
        requests, times = series
        requests.add()
        if times is not None:
            times.observe(seconds)

    def of_version(self, labels: tuple[str, str]) -> OfVersion:
        """The time series of a version; to look them up each time would cost more than to count."""
        return OfVersion(
            self._tally.number(VERSION_REQUESTS, *labels, "ok"),
            self._tally.number(VERSION_REQUESTS, *labels, "error"),
            self._tally.number(VERSION_SAMPLES, *labels),
            self._tally.times(VERSION_SECONDS, *labels),
        )

    def forget(self, labels: tuple[str, str]) -> bool:
        """End the time series of a version, which cannot be done where others count it too."""
        if self._tally.processes > 1:
            return False
        for result in ("ok", "error"):
            self._tally.drop(VERSION_REQUESTS, *labels, result)
        self._tally.drop(VERSION_SAMPLES, *labels)
        self._tally.drop(VERSION_SECONDS, *labels)
        return True

    def exposition(self, session: Session) -> bytes:
        """Everything in Prometheus' text format."""
        system = CollectorRegistry()
        system.register(_System(session))
        return generate_latest(self.registry) + generate_latest(system)


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

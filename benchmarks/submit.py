"""How many jobs the API accepts: ``python -m benchmarks.submit [--json] [--quick]``.

Sixteen clients post jobs over kept connections, each job after the answer to the one before; no worker runs, so
that the line grows. The databases take turns. Afterwards every accepted job is looked for in the list.
"""

import argparse
import http.client
import json
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.control_plane import control_plane, postgres_programs
from benchmarks.report import Report

CLIENTS = 16
SPEC = {
    "dataset": "digits",
    "network": {"family": "cnn"},
    "data": {"resize": [28, 28]},
    "hyperparameters": {"epochs": 3},
    "metadata": {"benchmark": "submit"},
}
HEADERS = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Round:
    """What the clients saw: ids of the accepted jobs, seconds of each request, seconds of the round."""

    accepted: list[str]
    waits: list[float]
    seconds: float


def post_jobs(port: int, count: int) -> Round:
    """Post ``count`` jobs from each of the clients."""
    accepted: list[str] = []
    waits: list[float] = []
    failures: list[BaseException] = []
    body = json.dumps(SPEC)
    together = threading.Barrier(CLIENTS + 1)

    def post() -> None:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            connection.connect()
            together.wait()
            for _ in range(count):
                began = time.perf_counter()
                connection.request("POST", "/v1/jobs", body, HEADERS)
                answer = connection.getresponse()
                location = answer.headers["Location"]
                answer.read()
                waits.append(time.perf_counter() - began)
                assert answer.status == 202, f"status {answer.status}"
                accepted.append(location.rpartition("/")[2])
            connection.close()
        except BaseException as error:
            failures.append(error)
            together.abort()

    threads = [threading.Thread(target=post) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    together.wait()
    began = time.perf_counter()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - began
    if failures:
        raise failures[0]
    return Round(accepted, waits, took)


def listed(port: int) -> set[str]:
    """The ids of all jobs, page by page."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    found: set[str] = set()
    after = ""
    while True:
        connection.request("GET", f"/v1/jobs?limit=100{after}")
        page: dict[str, Any] = json.loads(connection.getresponse().read())
        found.update(job["id"] for job in page["data"])
        if not page["has_more"]:
            connection.close()
            return found
        after = f"&after={page['next_cursor']}"


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    parser.add_argument("--quick", action="store_true", help="two short rounds")
    chosen = parser.parse_args()
    rounds, count = (2, 20) if chosen.quick else (5, 100)
    engines = ["sqlite", "postgresql"]
    if postgres_programs() is None:
        engines.remove("postgresql")
        print("PostgreSQL is not installed: its half is left out", file=sys.stderr)
    report = Report("submit", ("fastapi", "uvicorn", "sqlalchemy", "psycopg"))
    measured: dict[str, list[Round]] = {engine: [] for engine in engines}
    with ExitStack() as stack:
        folders = {engine: Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ep"))) for engine in engines}
        ports = {engine: stack.enter_context(control_plane(engine, folders[engine])) for engine in engines}
        for engine in engines:
            post_jobs(ports[engine], 5)  # warm
        for _ in range(rounds):
            for engine in engines:
                measured[engine].append(post_jobs(ports[engine], count))
        lost = {engine: missing(measured[engine], listed(ports[engine])) for engine in engines}
    for engine in engines:
        case = f"{CLIENTS} clients"
        rates = [len(one.accepted) / one.seconds for one in measured[engine]]
        accepted = report.row(case, engine, "jobs/s", rates)
        slowest = [percentile(one.waits, 0.99) * 1000 for one in measured[engine]]
        p99 = report.row(case, engine, "ms p99", slowest)
        report.row(case, engine, "ms p50", [percentile(one.waits, 0.5) * 1000 for one in measured[engine]])
        report.goal(f"{engine}: accepted jobs/s", accepted.median, ">=", 200)
        report.goal(f"{engine}: p99 (ms)", p99.median, "<=", 150)
        report.goal(f"{engine}: accepted jobs not found", lost[engine], "<=", 0)
    report.show(chosen.json)


def percentile(values: list[float], share: float) -> float:
    """The value that this share of the values does not exceed."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def missing(rounds: list[Round], found: set[str]) -> int:
    """Accepted jobs that the list does not show."""
    return sum(job_id not in found for one in rounds for job_id in one.accepted)


if __name__ == "__main__":
    main()

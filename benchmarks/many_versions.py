"""A thousand versions of one architecture: how long the first answer of each takes, and all in turn beside one.

They are those of :mod:`benchmarks.cold`, here over HTTP.
"""

import http.client
import json
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import load
from benchmarks.cold import SAMPLE, register
from benchmarks.contest import Effort
from benchmarks.epochd_service import Service
from benchmarks.load import Measured, Question
from benchmarks.report import Report
from core.db import Database
from migrations.upgrade import upgrade

COUNT = 1000
CONNECTIONS = (1, 16)
BODY = json.dumps({"inputs": SAMPLE[..., 0].tolist()}).encode()


def measure(folder: Path, effort: Effort, report: Report) -> None:
    """Add the rows and goals."""
    folder.mkdir()
    database = Database(f"sqlite:///{folder / 'epochd.db'}")
    upgrade(database)
    register(database, COUNT)
    database.close()
    service = Service(folder)
    try:
        _measure(service, effort, report)
    finally:
        service.server.close()


def _measure(service: Service, effort: Effort, report: Report) -> None:
    paths = [f"/v1/models/cold:{number}:predict" for number in range(1, COUNT + 1)]
    headers = {"Content-Type": "application/json", **service.headers}
    case = f"{COUNT} versions"
    seconds = sorted(first_answers(service.server.port, paths, headers))
    middle = report.row(case, "first answer, one by one", "ms p50", [seconds[COUNT // 2] * 1e3])
    report.row(case, "first answer, one by one", "ms p99", [seconds[int(0.99 * COUNT)] * 1e3])
    report.goal("first answer of a cold version, p50 (ms)", middle.median, "<=", 5)
    for connections in CONNECTIONS:
        hot, turns = Question(paths[:1], BODY, headers), Question(paths, BODY, headers)
        rounds: list[tuple[Measured, Measured]] = []
        for number in range(1 + effort.rounds):
            asked = [hot, turns] if number % 2 else [turns, hot]
            found = [load.measure(service.server.port, one, connections, effort.seconds) for one in asked]
            one, all_of_them = found if number % 2 else reversed(found)
            rounds.append((one, all_of_them))
        rounds = rounds[1:]
        if any(one.not_2xx or one.failed for pair in rounds for one in pair):
            report.note(f"{case} c{connections}: void, not all answers were 2xx")
            continue
        for name, column in (("one hot version", 0), ("all in turn", 1)):
            report.row(f"{case} c{connections}", name, "requests/s", [pair[column].rate for pair in rounds])
            report.row(f"{case} c{connections}", name, "ms p99", [pair[column].p99 for pair in rounds])
        ratios = [turn.rate / one.rate for one, turn in rounds]
        ratio = report.row(f"{case} c{connections}", "all in turn / one", "ratio", ratios)
        report.goal(f"{COUNT} versions in turn / one hot version, c{connections}", ratio.median, ">=", 0.6)


def first_answers(port: int, paths: Sequence[str], headers: dict[str, str]) -> list[float]:
    """Seconds of each, over one kept connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    found = []
    for path in paths:
        began = time.perf_counter()
        connection.request("POST", path, BODY, headers)
        answer = connection.getresponse()
        answer.read()
        found.append(time.perf_counter() - began)
        assert answer.status == 200, f"{path}: status {answer.status}"
    connection.close()
    return found

"""Servers that answer the same questions in turn: checked first, then measured round by round."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

from benchmarks import load
from benchmarks.bodies import Form
from benchmarks.epochd_service import Service
from benchmarks.load import Measured
from benchmarks.report import Report
from benchmarks.server import Server
from benchmarks.trained import Trained

WARM_SECONDS = 1
LARGE = 64


class Wrong(Exception):
    """A server's answers are not PyTorch's."""


@dataclass(frozen=True)
class Contestant:
    """A running server of one network; ``service`` where it is Epochd."""

    name: str
    server: Server
    forms: Mapping[str, Form]
    service: Service | None = None

    @contextmanager
    def turn(self) -> Iterator[None]:
        """It runs, and stands still again afterwards."""
        self.server.go_on()
        try:
            yield
        finally:
            self.server.pause()


@dataclass(frozen=True)
class Case:
    """What is asked: a form of body, images in each, connections."""

    network: str
    form: str
    connections: int
    rows: int = 1

    def __str__(self) -> str:
        rows = f" {self.rows} rows" if self.rows > 1 else ""
        return f"{self.network} {self.form}{rows} c{self.connections}"


@dataclass(frozen=True)
class Effort:
    """How long is measured."""

    rounds: int
    seconds: int


def check(contestant: Contestant, trained: Trained) -> None:
    """Ask about every image, some alone and the rest 64 at a time, in every form that the server knows.

    Raises:
        Wrong: an answer is no 2xx, of another number of images, or has another class than PyTorch's.
    """
    count = len(trained.images)
    alone = count % LARGE
    parts = [slice(i, i + 1) for i in range(alone)] + [slice(i, i + LARGE) for i in range(alone, count, LARGE)]
    with contestant.turn(), httpx.Client(base_url=f"http://127.0.0.1:{contestant.server.port}", timeout=60) as http:
        for name, form in contestant.forms.items():
            for part in parts:
                question = form.question(trained.images[part])
                answer = http.post(question.paths[0], content=question.body, headers=question.headers)
                if not answer.is_success:
                    raise Wrong(f"{name}: status {answer.status_code}: {answer.text[:300]}")
                if form.classes(answer.content, answer.headers) != trained.classes[part]:
                    raise Wrong(f"{name}: the classes of images {part.start} to {part.stop} are not PyTorch's")


def measure(
    case: Case, contestants: Sequence[Contestant], trained: Trained, effort: Effort, report: Report
) -> dict[str, list[Measured]]:
    """Add the rows of a case; gives the rounds of those that answered everything, by name."""
    print(case, file=sys.stderr)
    taking_part = [one for one in contestants if case.form in one.forms]
    found: dict[str, list[Measured]] = {one.name: [] for one in taking_part}
    void: dict[str, str] = {}
    for number in range(1 + effort.rounds):
        first = number % len(taking_part)
        for one in taking_part[first:] + taking_part[:first]:
            with one.turn():
                measured, counted = ask(one, case, trained, effort.seconds if number else WARM_SECONDS)
            if number == 0:
                continue
            found[one.name].append(measured)
            for sentence in faults(case, measured, counted):
                void[one.name] = sentence
    for name, sentence in void.items():
        report.note(f"{case}, {name}: void, {sentence}")
        del found[name]
    for name, rounds in found.items():
        report.row(str(case), name, "requests/s", [one.rate for one in rounds])
        report.row(str(case), name, "ms p50", [one.p50 for one in rounds])
        report.row(str(case), name, "ms p99", [one.p99 for one in rounds])
    return found


def ask(contestant: Contestant, case: Case, trained: Trained, seconds: int) -> tuple[Measured, float | None]:
    """Load it, while it runs; also by how much Epochd's own count of answered requests grew."""
    question = contestant.forms[case.form].question(trained.images[: case.rows])
    service = contestant.service
    before = service.counted() if service is not None else 0.0
    measured = load.measure(contestant.server.port, question, case.connections, seconds)
    return measured, service.counted() - before if service is not None else None


def faults(case: Case, measured: Measured, counted: float | None) -> Iterator[str]:
    """Why a round does not count. When wrk leaves, each connection may have a request under way that only we count."""
    if measured.not_2xx or measured.failed:
        yield f"{measured.not_2xx} answers were no 2xx, {measured.failed} requests failed"
    if not measured.requests:
        yield "nothing was answered"
    if counted is not None and not 0 <= counted - measured.requests <= case.connections:
        yield f"/metrics counted {counted:.0f} requests, and wrk {measured.requests}"

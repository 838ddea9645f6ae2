"""What was served of each version: counted in a ring of minutes, with bounded memory and bounded labels."""

import os
import time
from typing import Any

import numpy as np
import pytest
from starlette.requests import ClientDisconnect

from api.metrics import Counters
from api.serving import ledger
from api.serving import served as module
from api.serving.ledger import STEPS, Ledger, quantile_ms
from api.serving.served import Served
from api.serving.versions import Version


def version(number: int, name: str = "digits") -> Version:
    return Version(name, f"id-{name}", number, "0" * 64, None, [])  # type: ignore[arg-type]  # preprocessing is not read


def ask(served: Served, number: int, samples: int = 1, seconds: float = 0.0, name: str = "digits") -> None:
    with served.counting(version(number, name), time.perf_counter() - seconds) as asked:
        asked.samples = samples


@pytest.fixture
def minute(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A clock that is set by hand: the number of the minute."""
    clock = [1000]
    monkeypatch.setattr(module, "_minute", lambda: clock[0])
    return clock


def test_an_hour_goes_by_minute_after_minute(minute: Any) -> None:
    served = Served(Counters(), Ledger())
    for passed in range(0, 90, 30):
        minute[0] = 1000 + passed
        ask(served, 1, samples=4)
    assert (served.of("id-digits", 1)["requests"], served.of("id-digits", 1)["samples"]) == (2, 8)
    minute[0] = 1000 + 60 + 59
    assert served.of("id-digits", 1)["requests"] == 1
    minute[0] += 1
    nothing = served.of("id-digits", 1)
    assert (nothing["requests"], nothing["p99_ms"], nothing["last_request_at"]) == (0, None, None)
    assert served.of_model("id-digits") == []
    minute[0] += 60 * 24
    ask(served, 1)
    assert served.of("id-digits", 1)["requests"] == 1


def test_errors_are_counted_and_who_went_away_is_not() -> None:
    served = Served(Counters(), Ledger())
    with pytest.raises(ValueError), served.counting(version(1), time.perf_counter()):
        raise ValueError
    with pytest.raises(ClientDisconnect), served.counting(version(1), time.perf_counter()):
        raise ClientDisconnect
    ask(served, 1)
    found = served.of("id-digits", 1)
    assert (found["requests"], found["errors"], found["samples"]) == (2, 1, 1)
    assert served.of("id-other", 1)["requests"] == 0


def test_times_are_true_to_nine_per_cent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "perf_counter", lambda: 1000.0)  # what a busy machine adds is none of the times
    served = Served(Counters(), Ledger())
    times = np.geomspace(0.001, 2.0, 200)
    for seconds in times:
        ask(served, 1, seconds=seconds)
    found = served.of("id-digits", 1)
    for name, share in (("p50_ms", 0.5), ("p95_ms", 0.95), ("p99_ms", 0.99)):
        assert found[name] == pytest.approx(1e3 * np.quantile(times, share, method="inverted_cdf"), rel=0.1)  # type: ignore[literal-required]
    counts = np.zeros(STEPS, np.int64)
    assert quantile_ms(counts, 0.5) is None
    counts[-1] = 1
    assert quantile_ms(counts, 0.99) == pytest.approx(104_000 / 1.09, rel=0.1)


def test_memory_and_labels_are_bounded(minute: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "MOST_VERSIONS", 5)
    monkeypatch.setattr(module, "MOST_LABELLED", 3)
    counters = Counters()
    served = Served(counters, Ledger())
    for _ in range(2):
        for number in range(10):
            ask(served, number)
    assert {one["version"] for one in served.of_model("id-digits")} == set(range(5, 10))

    def requests(*labels: str) -> float | None:
        names = dict(zip(("model", "version", "result"), (*labels, "ok"), strict=True))
        found: float | None = counters.registry.get_sample_value("epochd_model_requests_total", names)
        return found

    assert [requests("digits", str(number)) for number in range(4)] == [2, 2, 2, None]
    assert requests("other", "other") == 14
    minute[0] += 30
    ask(served, 1)
    minute[0] += 30  # for an hour nobody has asked for 0 and 2
    ask(served, 7)
    ask(served, 8)
    ask(served, 9)
    assert [requests("digits", str(number)) for number in (0, 1, 2, 7, 8, 9)] == [None, 3, None, 1, 1, None]
    assert requests("other", "other") == 15


def test_names_of_two_tenants_share_their_labels() -> None:
    served = Served(Counters(), Ledger())
    ask(served, 1)
    with served.counting(Version("digits", "id-of-another", 1, "0" * 64, None, []), time.perf_counter()):  # type: ignore[arg-type]
        pass
    assert served.of("id-digits", 1)["requests"] == 1 == served.of("id-of-another", 1)["requests"]


def test_processes_add_up_what_they_count() -> None:
    shared = Ledger(2)
    ask(Served(Counters(), shared), 1, samples=2)
    child = os.fork()
    if child == 0:
        shared.become(1)
        ask(Served(Counters(), shared), 1, samples=3)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    found = Served(Counters(), shared).of("id-digits", 1)
    assert (found["requests"], found["samples"]) == (2, 5)
    shared.become(1)  # it has died: another one takes its place
    assert Served(Counters(), shared).of("id-digits", 1)["samples"] == 2

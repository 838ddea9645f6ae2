"""Counts for Prometheus in shared memory: added up over processes, none lost when one dies."""

import os
import threading
from typing import Any

import pytest

from api.metrics import IN_FLIGHT, PREDICTIONS, VERSION_REQUESTS, Counters
from api.tally import Family, Tally

TIMES = Family("times", "Some.", ("who",), (1, 2.5, 10))


def samples(tally: Tally, family: Family) -> dict[tuple[Any, ...], float]:
    """What Prometheus would be told: values by the end of a sample's name and the values of its labels."""
    found = tally.collect(family).samples
    return {(one.name.removeprefix(family.name), *one.labels.values()): one.value for one in found}


def test_a_histogram_has_the_buckets_that_prometheus_wants() -> None:
    tally = Tally()
    times = tally.times(TIMES, "me")
    for value in (0.5, 1, 1.5, 2.5, 9, 11):
        times.observe(value)
    assert samples(tally, TIMES) == {
        ("_bucket", "me", "1.0"): 2,
        ("_bucket", "me", "2.5"): 4,
        ("_bucket", "me", "10.0"): 5,
        ("_bucket", "me", "+Inf"): 6,
        ("_count", "me"): 6,
        ("_sum", "me"): 25.5,
    }


def in_process(tally: Tally, index: int, requests: int) -> None:
    """Another process of this number counts, and dies with one at work."""
    child = os.fork()
    if child == 0:
        tally.become(index)
        counters = Counters(tally)
        counters.predictions.add(requests)
        counters.in_flight.add()
        counters.of_version(("digits", str(index))).answered.add(requests)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


def test_processes_add_up_and_who_takes_a_place_goes_on() -> None:
    tally = Tally(3)
    for index, requests in ((0, 1), (1, 10), (2, 100), (1, 1000)):
        in_process(tally, index, requests)
    assert samples(tally, PREDICTIONS) == {("_total",): 1111}
    assert samples(tally, VERSION_REQUESTS)["_total", "digits", "1", "ok"] == 1010
    assert samples(tally, IN_FLIGHT) == {("",): 4}
    for index in range(3):
        tally.zero(IN_FLIGHT, index)
    assert samples(tally, IN_FLIGHT) == {("",): 0}
    assert not Counters(tally).forget(("digits", "0"))  # others may count it too


def test_a_series_that_was_dropped_begins_anew_in_its_place() -> None:
    tally = Tally()
    for who in "abc":
        tally.times(TIMES, who).observe(1)
    tally.drop(TIMES, "b")
    assert {key[1] for key in samples(tally, TIMES)} == {"a", "c"}
    tally.number(PREDICTIONS).add(5)
    tally.times(TIMES, "b").observe(20)
    assert samples(tally, TIMES)["_sum", "b"] == 20
    assert samples(tally, TIMES)["_sum", "a"] == 1
    assert samples(tally, PREDICTIONS) == {("_total",): 5}


def test_threads_lose_no_count() -> None:
    tally = Tally()

    def count() -> None:
        number = tally.number(PREDICTIONS)
        for _ in range(20_000):
            number.add()

    threads = [threading.Thread(target=count) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert samples(tally, PREDICTIONS) == {("_total",): pytest.approx(80_000, abs=0)}

"""What benchmarks.serve sends and reads is what the services speak, and what went wrong does not count."""

import json
import math

import numpy as np
import pytest

from api.protocol import request, response
from api.serving import bodies as read_bodies
from api.serving.versions import Version
from benchmarks import bodies, serving_goals
from benchmarks.contest import Case, faults
from benchmarks.load import Measured
from benchmarks.report import Report
from core.encode import Preprocessing

IMAGES = np.arange(3 * 28 * 28, dtype=np.uint8).reshape(3, 28, 28)
PREPROCESSING = Preprocessing("image", (28, 28, 1), None, "unit", (0.0,), (255.0,))
VERSION = Version("digits", "model_1", 1, "", PREPROCESSING, [str(digit) for digit in range(10)])
LOGITS = np.eye(10, dtype=np.float32)[[3, 1, 4]]


def measured(rate: float = 100.0, *, requests: int = 500, not_2xx: int = 0, failed: int = 0) -> Measured:
    return Measured(requests, rate, 0.4, 30.0, not_2xx, failed)


@pytest.mark.parametrize("form", [bodies.as_json, bodies.as_bytes])
def test_bodies_are_read_as_the_same_images(form: object) -> None:
    body, headers = form(IMAGES)  # type: ignore[operator]
    samples = read_bodies.read(read_bodies.media_type(headers["Content-Type"]), body, PREPROCESSING)
    assert np.array_equal(samples[..., 0], IMAGES)


@pytest.mark.parametrize("form", [bodies.as_v2_json, bodies.as_v2_binary])
def test_tensors_are_read_as_the_same_images_and_answered_with_the_same_classes(form: object) -> None:
    body, headers = form(IMAGES)  # type: ignore[operator]
    parsed = request.read(body, headers.get(bodies.HEADER))
    assert np.array_equal(parsed.inputs["input"].values, IMAGES)
    chosen = response.wanted(parsed, VERSION)
    answer, more = response.encode(parsed, VERSION, response.compute(VERSION, IMAGES, (LOGITS, LOGITS)), chosen)
    found = {bodies.HEADER: more[bodies.HEADER.lower()]} if bodies.HEADER.lower() in more else {}
    assert bodies.of_v2(answer, found) == [3, 1, 4]


@pytest.mark.parametrize("wrap", [lambda found: {"predictions": found}, lambda found: found])
def test_classes_of_predictions(wrap: object) -> None:
    answer = json.dumps(wrap([{"index": 3}, {"index": 1}]))  # type: ignore[operator]
    assert bodies.of_predictions(answer.encode(), {}) == [3, 1]


@pytest.mark.parametrize(
    ("one", "counted"),
    [
        (measured(not_2xx=1), None),
        (measured(failed=1), None),
        (measured(requests=0), None),
        (measured(), 499.0),
        (measured(), 517.0),
    ],
)
def test_a_round_with_a_fault_is_void(one: Measured, counted: float | None) -> None:
    assert list(faults(Case("cnn", "json", 16), one, counted))


@pytest.mark.parametrize("counted", [None, 500.0, 516.0])
def test_a_round_whose_requests_were_counted_is_valid(counted: float | None) -> None:
    assert list(faults(Case("cnn", "json", 16), measured(), counted)) == []


def test_goals_compare_with_the_fastest_of_the_others() -> None:
    report, case = Report("serve", ()), Case("cnn", "json", 64)
    found = {
        "epochd": [measured(600.0), measured(800.0)],
        serving_goals.NAIVE_NAMES[0]: [measured(50.0), measured(50.0)],
        "torchserve": [measured(100.0), measured(100.0)],
    }
    serving_goals.judge(case, found, report)
    assert [(one.name, one.value, one.goal, one.met) for one in report.goals] == [
        ("cnn json c64: epochd / best peer", 7.0, 6, True),
        ("cnn json c64: epochd, p99 (ms)", 30.0, 25, False),
    ]
    assert "epochd / torchserve" in [row.variant for row in report.rows]


def test_without_others_there_is_no_ratio() -> None:
    report = Report("serve", ())
    assert math.isnan(serving_goals.ratio(Case("cnn", "json", 1), {"epochd": [measured()]}, "epochd", [], report))
    assert report.rows == []

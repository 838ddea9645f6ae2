"""How good trained networks are on real sets: ``python -m benchmarks.accuracy [--json] [--quick] [--only NAME ...]``.

Each row goes through a service of its own as a user would: the files are uploaded as they lie in ``../shared/data``,
the job of ``examples/NAME.json`` trains, and its model is asked over HTTP about every raw sample of the test split (a
language model goes on with its beginning). The job's scores are of one training from the example's seed; the test split
was read once. Beside them stands a linear model by scikit-learn (:mod:`benchmarks.baselines`,
:mod:`benchmarks.linear_sequences`), and a forecast's naive one. A set or an example that is missing is skipped by name.
``--quick`` takes the rows that need a minute or less.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import baselines, linear_sequences
from benchmarks.real_sets import REAL_SETS, RealSet
from benchmarks.report import Report
from core.specs import TrainJob
from epochd import Client
from epochd.resources import Job
from epochd.up import Options, Up
from models.data.splits import Dataset, Split

QUICK = ("rt-polarity", "ag-news-7600", "japanese-vowels", "ecg5000")
VALUES_A_REQUEST = 300_000
"""Numbers of the samples that are asked about at once."""
PROMPT, TOKENS = 200, 200
"""Characters of the test split that a language model reads, and those that it writes."""


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    parser.add_argument("--quick", action="store_true", help=f"only {', '.join(QUICK)}")
    parser.add_argument("--only", metavar="NAME", nargs="+", choices=list(REAL_SETS), help="only these rows")
    chosen = parser.parse_args()
    report = Report("accuracy", ("torch", "numpy", "scikit-learn"))
    for name in chosen.only or (QUICK if chosen.quick else REAL_SETS):
        one = REAL_SETS[name]
        if (sentence := one.missing()) is not None:
            report.note(sentence)
            print(sentence, file=sys.stderr)
            continue
        measure(one, report)
    report.show(chosen.json)


def measure(one: RealSet, report: Report) -> None:
    """Add the rows and goals of an example."""
    with tempfile.TemporaryDirectory() as folder:
        options = Options(data_dir=Path(folder), port=0)
        with Up(options, say=say) as up, Client(up.url) as client:
            upload = client.wait(client.upload(one.job["dataset"], *one.files, **one.options)["id"])
            say(f"{one.example}: uploaded in {_seconds(upload):.1f} s, training")
            job = client.wait(client.submit(one.job)["id"])
            if (error := upload["error"] or job["error"]) is not None:
                sys.exit(f"{one.example}: {error['message']}")
            result = job["result"]
            assert result is not None
            report.row(one.example, "upload to data set", "s", [_seconds(upload)])
            report.row(one.example, "training", "min", [_seconds(job) / 60])
            judge(one, result, report)
            dataset, spec = one.read(), TrainJob.model_validate(one.job).training
            ask(client, one, job, dataset, report)
    match result["task"]:
        case "forecast":
            name, scores = "ridge regression", linear_sequences.forecast(dataset, spec)
        case "language":
            name, scores = "logistic regression", {"bits_per_character": linear_sequences.bits_per_character(dataset)}
        case _:
            name, scores = "logistic regression", {"accuracy": baselines.accuracy(dataset, spec)}
    for score, value in scores.items():
        say(f"{one.example}: {name}, {score} {value:.4f}")
        report.row(one.example, f"{name}, {score}", "", [value])


def judge(one: RealSet, result: dict[str, Any], report: Report) -> None:
    """Add the scores of the test split, and what they should be."""
    for goal in one.goals:
        score = result["test"][goal.score]
        value = goal.value
        report.row(one.example, f"Epochd, {goal.score}", "", [score])
        say(f"{one.example}: {goal.score} {score:.4f}")
        if value is None:
            value = result["baseline"][goal.score]
            report.row(one.example, f"{result['baseline']['name']}, {goal.score}", "", [value])
        report.goal(f"{one.example}: {goal.score}", score, goal.op, value)


def ask(client: Client, one: RealSet, job: Job, dataset: Dataset, report: Report) -> None:
    """Ask the served model about the test split, and add a goal: it answers what the job has measured."""
    model, result = f"{one.job['model']}:{job['model_version']}", job["result"]
    assert result is not None
    say(f"{one.example}: asking {model}")
    match result["task"]:
        case "forecast":
            wrong = abs(served_rmse(client, model, dataset, job) / result["test"]["rmse"] - 1)
            report.goal(f"{one.example}: rmse of :predict, relative difference", wrong, "<=", 1e-4)
        case "language":
            written = client.generate(model, dataset.test.text[:PROMPT], max_tokens=TOKENS, temperature=0)
            say(written["text"])
            report.goal(f"{one.example}: tokens written by :predict", written["tokens"], ">=", TOKENS)
        case _:
            differing = otherwise(client, model, dataset.test, result)
            report.row(one.example, "called otherwise by :predict", f"of {len(dataset.test)}", [differing])
            report.goal(f"{one.example}: called otherwise by :predict", differing, "<=", 0)


def served_rmse(client: Client, model: str, dataset: Dataset, job: Job) -> float:
    """Of the answers to every window of the test split of a table with one target."""
    assert job["data"] is not None
    width, horizon = job["data"]["window"], job["data"]["horizon"]
    (target,) = dataset.manifest["targets"]
    rows = np.concatenate((np.asarray(dataset.train.inputs)[-width:], np.asarray(dataset.test.inputs)))
    windows = np.lib.stride_tricks.sliding_window_view(rows[:-horizon], width, axis=0).swapaxes(1, 2)
    behind = np.lib.stride_tricks.sliding_window_view(rows[width:, dataset.manifest["columns"].index(target)], horizon)
    squares = 0.0
    for first in range(0, len(windows), count := max(1, VALUES_A_REQUEST // windows[0].size)):
        answers = client.predict(model, windows[first : first + count].tolist())["predictions"]
        told = np.array([answer["values"][target] for answer in answers])
        squares += np.square(told - behind[first : first + count]).sum()
    return float(np.sqrt(squares / behind.size))


def otherwise(client: Client, model: str, test: Split, result: dict[str, Any]) -> int:
    """At least how many raw samples of the test split the served model puts into another class than the job did.

    The job keeps counts by class and no single answers: half of what the two confusion matrices differ by.
    """
    guesses: list[int] = []
    for inputs in requests(test):
        guesses += [answer["index"] for answer in client.predict(model, inputs, top=1)["predictions"]]
    asked = np.zeros((len(result["classes"]),) * 2, np.int64)
    np.add.at(asked, (test.targets, np.array(guesses)), 1)
    return int(np.abs(asked - np.array(result["confusion_matrix"])).sum()) // 2


def requests(test: Split) -> Iterator[list[Any]]:
    """The raw samples as JSON, some at a time."""
    count = max(1, VALUES_A_REQUEST // max(np.size(sample) for sample in test.inputs))
    for first in range(0, len(test), count):
        samples = test.inputs[first : first + count].tolist()
        if test.lengths is not None:
            lengths = test.lengths[first : first + count].tolist()
            samples = [sample[:length] for sample, length in zip(samples, lengths, strict=True)]
        yield [sample.tolist() if isinstance(sample, np.ndarray) else sample for sample in samples]


def say(text: str) -> None:
    """How it goes, for whoever waits."""
    print(text, file=sys.stderr)


def _seconds(job: Job) -> float:
    """From a worker's claim to the end."""
    assert job["started_at"] is not None and job["finished_at"] is not None
    return (datetime.fromisoformat(job["finished_at"]) - datetime.fromisoformat(job["started_at"])).total_seconds()


if __name__ == "__main__":
    main()

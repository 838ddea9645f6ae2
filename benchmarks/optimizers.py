"""Which optimizer, how large a model, how much data: ``python -m benchmarks.optimizers [--json] [--quick]``.

On 6,000 of MNIST's samples (with ``--quick``, or where MNIST is missing, on the built-in digits), every optimizer with
the learning rate of a small grid that gave the best accuracy on the validation split: the steps and seconds to a target
of the validation's accuracy, and the accuracy on the test split with the weights that validation chose. Then what the
width of the network, the number of samples, augmentation, and numbers of fewer bits cost and bring
(:mod:`benchmarks.questions`). What is compared takes turns.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import questions
from benchmarks.report import Report
from benchmarks.subject import BATCH, Outcome, Subject, subject, train
from workers.forkserver import ENVIRONMENT

OPTIMIZERS: dict[str, dict[str, Any]] = {
    "gd": {"name": "gd"},
    "sgd": {"name": "sgd"},
    "momentum": {"name": "sgd", "momentum": 0.9},
    "adam": {"name": "adam"},
    "adamw": {"name": "adamw", "weight_decay": 0.01},
    "rmsprop": {"name": "rmsprop"},
}
GRID: dict[str, tuple[float, ...]] = {
    "gd": (0.3, 1.0, 3.0),
    "sgd": (0.1, 0.3, 1.0),
    "momentum": (0.01, 0.03, 0.1, 0.3),
    "adam": (0.001, 0.003, 0.01, 0.03),
    "adamw": (0.001, 0.003, 0.01, 0.03),
    "rmsprop": (0.0003, 0.001, 0.003, 0.01),
}
GD_STEPS = 100
"""Each passes over all the data: as much arithmetic as an epoch of the others."""


def rules(subject: Subject, name: str, rate: float) -> dict[str, Any]:
    """The hyperparameters: nothing but the update rule differs, and the rate stays what it is."""
    made: dict[str, Any] = {"optimizer": {**OPTIMIZERS[name], "lr": rate}}
    return made | ({"steps": GD_STEPS} if name == "gd" else {"epochs": subject.epochs, "batch_size": BATCH})


def choose(subject: Subject, name: str, threads: int, report: Report) -> float:
    """The rate whose best weights are right most often on the validation split."""
    found: dict[float, float] = {}
    for rate in GRID[name]:
        outcome = train(subject, subject.fewer(subject.few), rules(subject, name, rate), threads=threads)
        found[rate] = outcome.validation if outcome else 0.0
    report.note(f"{name}: validation by rate {', '.join(f'{rate:g}: {right:.1f} %' for rate, right in found.items())}")
    return max(found, key=lambda rate: found[rate])


def compare(subject: Subject, seeds: int, threads: int, report: Report) -> None:
    """Choose the rates, then train with each optimizer from several seeds, in turns."""
    rates = {name: choose(subject, name, threads, report) for name in OPTIMIZERS}
    outcomes: dict[str, list[Outcome | None]] = {name: [] for name in OPTIMIZERS}
    for seed in range(1, 1 + seeds):
        few = subject.fewer(subject.few, seed)
        for name, rate in rates.items():
            outcomes[name].append(train(subject, few, rules(subject, name, rate), seed=seed, threads=threads))
    case = f"{subject.name}, {subject.few} samples"
    for name, found in outcomes.items():
        variant = f"{name}, lr {rates[name]:g}"
        ended = [outcome for outcome in found if outcome is not None]
        steps = [float(one.steps_to_target) for one in ended if one.steps_to_target is not None]
        seconds = [one.seconds_to_target for one in ended if one.seconds_to_target is not None]
        goal = f"{100 * subject.target:g} %"
        if len(steps) == seeds:
            report.row(case, variant, f"steps to {goal}", steps)
            report.row(case, variant, f"s to {goal}", seconds)
        else:
            limit = GD_STEPS if name == "gd" else subject.epochs * subject.epoch_steps
            report.note(f"{name}: {len(steps)} of {seeds} trainings reached {goal} within {limit} steps")
        if ended:
            report.row(case, variant, "% right", [one.test for one in ended])
    report.note(
        f"networks: {subject.stages} channels with 3x3 kernels and pools of 2, {subject.hidden} hidden; batch {BATCH} "
        f"(gd: all), constant rates, {subject.epochs} epochs of {subject.epoch_steps} steps (gd: {GD_STEPS} steps)"
    )


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    parser.add_argument("--quick", action="store_true", help="the built-in digits, two seeds")
    chosen = parser.parse_args()
    if not ENVIRONMENT.items() <= os.environ.items():
        # as a worker's children have it; the allocator reads it once, when a process starts
        program = [sys.executable, "-m", "benchmarks.optimizers", *sys.argv[1:]]
        os.execve(sys.executable, program, {**os.environ, **ENVIRONMENT})
    seeds, threads = 2 if chosen.quick else 3, len(os.sched_getaffinity(0))
    report = Report("optimizers", ("torch", "numpy"))
    with tempfile.TemporaryDirectory() as folder:
        what = subject(Path(folder), chosen.quick)
        compare(what, seeds, threads, report)
        questions.sizes(what, seeds, threads, report)
        questions.amounts(what, seeds, threads, report)
        questions.precisions(what, seeds, threads, report)
        questions.compression(what, Path(folder), report)
    report.show(chosen.json)


if __name__ == "__main__":
    main()

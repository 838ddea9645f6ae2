"""How fast networks train: ``python -m benchmarks.train [--json] [--quick] [--network NAME]``.

Epochd's ``fit`` against a plain PyTorch loop, Lightning and Keras on TensorFlow, on MNIST: the seed CNN, and Elman, GRU
and LSTM with 128 hidden units that read images row by row. Each contender is a process of its own; they take turns,
round by round, and all begin with the same weights and see the same batches. A contender whose training loss is more
than 5 % from Epochd's trained something else: its row is void. Rounds end within the first epoch, so validation, which
the others do not do, is not in them.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks import mnist, peers
from benchmarks.contenders.case import Case
from benchmarks.report import Report
from workers.forkserver import ENVIRONMENT

BATCHES = (64, 128, 512)
STEPS = {64: 50, 128: 30, 512: 10}
"""Steps of a round, by batch size: about a second of the CNN, and ten times as many fit into an epoch."""
LOSS_STEPS = 200
"""The last of a contender's steps, whose mean loss is compared: equal trainings part by their roundings, and the loss
of 50 steps of the LSTM was seen to differ by a tenth."""
TOLERANCE = 0.05


@dataclass(frozen=True)
class Variant:
    """One contender in one precision. ``peer`` is the environment it runs in, empty for our own."""

    name: str
    program: str
    peer: str = ""
    precision: str = "fp32"


EPOCHD, EPOCHD_BF16 = Variant("epochd", "epochd_fit"), Variant("epochd bf16", "epochd_fit", precision="bf16")
KERAS = Variant("keras", "keras_fit", "keras")
PEERS = (
    Variant("torch loop", "torch_loop", "pytorch"),
    Variant("lightning", "lightning_trainer", "pytorch"),
    KERAS,
)
KERAS_BF16 = replace(KERAS, name="keras bf16", precision="bf16")
VARIANTS = {
    "cnn": (EPOCHD, EPOCHD_BF16, *PEERS, KERAS_BF16),
    "elman": (EPOCHD, *PEERS),
    "gru": (EPOCHD, EPOCHD_BF16, *PEERS),
    "lstm": (EPOCHD, EPOCHD_BF16, *PEERS),
}
PAIRS = (
    *(("epochd", "torch loop"), ("epochd", "lightning"), ("epochd", "keras")),
    *(("epochd bf16", "keras"), ("epochd bf16", "keras bf16")),
)
"""The ratios that are reported, as far as a network has both."""
GOALS = {
    "cnn": (
        ("epochd", "keras", 1.2),
        ("epochd", "lightning", 1.9),
        ("epochd", "torch loop", 2.2),
        ("epochd bf16", "keras", 1.7),
    ),
    "elman": (("epochd", "keras", 1.75),),
    "gru": (("epochd", "keras", 1.4),),
    "lstm": (("epochd", "keras", 1.45), ("epochd bf16", "keras", 2.5)),
}
"""Geometric means over the batch sizes of (variant / other)."""


class Contender:
    """A process that trains a number of steps when told to."""

    def __init__(self, variant: Variant, case: Case) -> None:
        program = peers.python(variant.peer) if variant.peer else sys.executable
        command = [program, "-m", f"benchmarks.contenders.{variant.program}"]
        own = {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "2"} if variant.peer else ENVIRONMENT
        self.variant = variant
        self._process = subprocess.Popen(
            [*command, replace(case, precision=variant.precision).as_argument()],
            env={**os.environ, **own},
            cwd=Path(__file__).parents[1],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.facts = self._answer()

    def run(self, steps: int) -> dict[str, float]:
        """Train; gives seconds and the mean loss."""
        assert self._process.stdin is not None
        print(steps, file=self._process.stdin, flush=True)
        return self._answer()

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(60)

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the contender {self.variant.name} ended with exit code {self._process.wait(60)}")
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextmanager
def contenders(variants: Iterable[Variant], case: Case) -> Iterator[list[Contender]]:
    """Start them one after the other; they end together."""
    started: list[Contender] = []
    try:
        for variant in variants:
            started.append(Contender(variant, case))
        yield started
    finally:
        for contender in started:
            contender.close()


def measure(case: Case, rounds: int, report: Report) -> dict[tuple[str, str], float]:
    """Add the rows of a case; gives the median ratio of every pair of variants whose losses agree."""
    steps = STEPS[case.batch]
    answers: dict[str, list[dict[str, float]]] = {}
    with contenders(VARIANTS[case.network], case) as all_of_them:
        for number in range(1 + rounds):
            # who goes first changes, so that a machine whose speed drifts favours nobody
            turn = number % len(all_of_them)
            for contender in all_of_them[turn:] + all_of_them[:turn]:
                answers.setdefault(contender.variant.name, []).append(contender.run(steps))
        for contender in all_of_them:
            if contender.variant.peer:
                peer = contender.variant.peer
                report.peers |= {f"{name} ({peer})": found for name, found in contender.facts["versions"].items()}
            report.note(f"{contender.variant.name}: {contender.facts['settings']}")
    last = math.ceil(LOSS_STEPS / steps)
    losses = {name: mean(one["loss"] for one in found[-last:]) for name, found in answers.items()}
    name, unit = f"{case.network} batch {case.batch}", "images/s" if case.network == "cnn" else "sequences/s"
    rates = {one: [steps * case.batch / answer["seconds"] for answer in found[1:]] for one, found in answers.items()}
    valid = [one for one in rates if abs(losses[one] / losses["epochd"] - 1) <= TOLERANCE]
    for one, values in rates.items():
        if one in valid:
            report.row(name, one, unit, values)
        else:
            report.note(f"{name}, {one}: void, its loss is {losses[one]:.4g} and Epochd's {losses['epochd']:.4g}")
    ratios = {}
    for one, other in PAIRS:
        if one in valid and other in valid:
            pairs = [ours / theirs for ours, theirs in zip(rates[one], rates[other], strict=True)]
            ratios[one, other] = report.row(name, f"{one} / {other}", "ratio", pairs).median
    return ratios


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    parser.add_argument("--quick", action="store_true", help="two rounds")
    parser.add_argument("--network", choices=list(VARIANTS), action="append", help="only this one (repeatable)")
    chosen = parser.parse_args()
    if (sentence := mnist.missing()) is not None:
        sys.exit(sentence)
    rounds = 2 if chosen.quick else 9
    report = Report("train", ("torch", "numpy"))
    with tempfile.TemporaryDirectory() as folder:
        preprocessing = mnist.write(Path(folder))
        threads = len(os.sched_getaffinity(0))
        for network in chosen.network or VARIANTS:
            case = Case(network, 0, "fp32", threads, preprocessing.mean[0], preprocessing.std[0], folder)
            mnist.write_weights(replace(case, batch=BATCHES[0]))
            found = []
            for batch in BATCHES:
                print(f"{network}, batch {batch}", file=sys.stderr)
                found.append(measure(replace(case, batch=batch), rounds, report))
            judge(network, found, report)
    report.show(chosen.json)


def judge(network: str, found: list[dict[tuple[str, str], float]], report: Report) -> None:
    """Add the goals of a network."""
    for one, other, goal in GOALS[network]:
        ratios = [ratio[one, other] for ratio in found if (one, other) in ratio]
        if len(ratios) < len(BATCHES):
            report.note(f"{network}: no goal for {one} / {other}, a row of it is void")
            continue
        report.goal(f"{network}: {one} / {other}, geometric mean", math.prod(ratios) ** (1 / len(ratios)), ">=", goal)
        if (network, one, other) == ("cnn", "epochd", "keras"):
            report.goal(f"{network}: {one} / {other}, smallest", min(ratios), ">=", 1.05)


if __name__ == "__main__":
    main()

"""How the examples' settings were chosen: ``python -m benchmarks.choices [--json] [--quick] [--only NAME ...]``.

Every example with the changes written down here, one at a time, from the example's seed. Only validation is looked at:
the test split is taken out of the data before. What validation puts first, and of equals the one with the smaller loss,
is what the example says. For spoken digits, whose test is about speakers that training has not heard, validation is a
speaker as well: each candidate learns from three of the four and is judged by the fourth, for two of them in turn.
RESULTS.md keeps what was found.
"""

import argparse
import os
import sys
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.real_sets import REAL_SETS, RealSet, read
from benchmarks.report import Report
from core.encode.splits import stratified
from core.specs import TrainJob
from epochd.cli.jobs import assign
from models.data.splits import Dataset
from models.events import Finished
from models.training import fit

RATE, CELL, DROPOUT = "hyperparameters.optimizer.lr", "network.cell", "network.dropout"
EPOCHS, HIDDEN, READOUT = "hyperparameters.epochs", "network.hidden", "network.readout"
WORDS = [
    [],
    [f"{CELL}=gru"],
    [f"{RATE}=0.004"],
    [f"{DROPOUT}=0.7"],
    [f"{EPOCHS}=10"],
    [f"{HIDDEN}=128"],
    [f"{READOUT}=mean"],
]
CANDIDATES: dict[str, list[list[str]]] = {
    "rt-polarity": WORDS,
    "ag-news-7600": WORDS,
    "japanese-vowels": [
        [],
        [f"{CELL}=lstm"],
        [f"{CELL}=elman"],
        [f"{DROPOUT}=0.5"],
        [f"{EPOCHS}=30"],
        [f"{HIDDEN}=128"],
        ['data.augment={"noise": 0.2}'],
    ],
    "names": [[], [f"{RATE}=0.004"], [f"{DROPOUT}=0.5"], [f"{EPOCHS}=20"]],
    "spoken-digits-cnn": [
        [],
        ['data.augment={"noise": 0.2, "time_mask": 6, "scale": 0.3, "time_shift": 8}'],
        ["data.normalise=standard"],
    ],
    "spoken-digits-rnn": [
        [],
        ['data.augment={"noise": 0.5, "time_mask": 6, "scale": 0.2}'],
        ["data.normalise=standard"],
    ],
}
START = {
    "rt-polarity": [f"{CELL}=elman"],
    "ag-news-7600": [f"{DROPOUT}=0.5"],
    "japanese-vowels": ["data.augment=null"],
    "spoken-digits-cnn": ["data.augment.noise=0.4"],
}
"""What the candidates change, where the example says by now what was chosen."""
SHARE = {"japanese-vowels": 0.34}
"""Held out for validation, where a tenth would be too few to tell settings apart."""
SPEAKERS = ("george", "jackson", "lucas", "nicolas")
JUDGES = ("george", "nicolas")


def candidate(one: RealSet, changes: Sequence[str]) -> TrainJob:
    """The example with these changes of where the search began."""
    body = one.job
    for change in (*START.get(one.example, ()), *changes):
        assign(body, change)
    return TrainJob.model_validate(body)


def folds(one: RealSet, spec: TrainJob, quick: bool) -> Iterator[Dataset]:
    """What to train on and to validate with, without the test split: a few of its samples stand in for it."""
    if one.folder == "spoken-digits":
        for speaker in JUDGES[:1] if quick else JUDGES:
            yield by_speaker(one, speaker)
        return
    whole = one.read()
    share = SHARE.get(one.example, spec.data.validation)
    rest, held = stratified(whole.train.targets, round(share * len(whole.train)), spec.seed)
    train, validation = whole.train.take(rest), whole.train.take(held)
    yield replace(whole, train=train, validation=validation, test=validation.take(np.arange(1)))


def by_speaker(one: RealSet, speaker: str) -> Dataset:
    """Three of the four speakers to train on, the fourth to validate with; the two of the test split are not read."""
    (source,) = one.files
    with TemporaryDirectory() as folder:
        path = Path(folder) / source.name
        with zipfile.ZipFile(source) as recordings, zipfile.ZipFile(path, "w") as known:
            for name in recordings.namelist():
                if any(f"_{each}_" in name for each in SPEAKERS):
                    known.writestr(name, recordings.read(name))
        dataset = read([path], {"pattern": one.options["pattern"], "test_pattern": f"*_{speaker}_*"})
    return replace(dataset, validation=dataset.test, test=dataset.test.take(np.arange(1)))


def main() -> None:
    """Try, and report; the first of the rows of an example with the largest figure is what validation chooses."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    parser.add_argument("--quick", action="store_true", help="one speaker judges instead of two")
    parser.add_argument("--only", metavar="NAME", nargs="+", choices=list(CANDIDATES), help="only these examples")
    chosen = parser.parse_args()
    report = Report("choices", ("torch", "numpy"))
    threads = len(os.sched_getaffinity(0))
    for name in chosen.only or CANDIDATES:
        one = REAL_SETS[name]
        if (sentence := one.missing()) is not None:
            report.note(sentence)
            continue
        sets = list(folds(one, TrainJob.model_validate(one.job), chosen.quick))
        for changes in CANDIDATES[name]:
            spec = candidate(one, changes).training
            found = []
            for dataset in sets:
                *_, end = fit(spec, dataset, threads=threads)
                assert isinstance(end, Finished)
                found.append(end.validation)
            rights = [100 * values["accuracy"] for values in found]
            variant = " ".join(changes) or "the start"
            mean, loss = (float(np.mean(values)) for values in (rights, [one["loss"] for one in found]))
            print(f"{name} {variant}: {mean:.2f} % right, loss {loss:.4f}", file=sys.stderr)
            report.row(name, variant, "% right in validation", rights)
            report.row(name, variant, "loss", [values["loss"] for values in found])
    report.show(chosen.json)


if __name__ == "__main__":
    main()

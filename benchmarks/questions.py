"""The questions of benchmarks.optimizers beside the optimizer: how large, how much, and what is saved."""

from pathlib import Path
from typing import Any

import torch
from sqlalchemy import select

from benchmarks.report import Report
from benchmarks.subject import BATCH, VALIDATION, Outcome, Subject, train
from core import blobs, plan
from core.db import Database
from core.specs import TrainSpec
from core.tables import Blob
from migrations.upgrade import upgrade
from models.data import splits
from models.data.resident import Resident

WIDTHS = (0.5, 1, 2)
SHARES = (0.1, 0.3, 1.0)
ADAM = {"batch_size": BATCH, "optimizer": {"name": "adam", "lr": 0.003}, "schedule": {"name": "one_cycle"}}


def sizes(subject: Subject, seeds: int, threads: int, report: Report) -> None:
    """The same steps with networks of several widths."""
    found: dict[float, list[Outcome]] = {width: [] for width in WIDTHS}
    for seed in range(seeds):
        for width in WIDTHS:
            rules = {**ADAM, "epochs": subject.epochs // 2}
            network = subject.network(width)
            found[width].append(_train(subject, subject.few, rules, network=network, seed=seed, threads=threads))
    for width, outcomes in found.items():
        case, variant = f"width, {subject.few} samples", f"x{width:g}"
        spec = TrainSpec.model_validate({"network": subject.network(width)})
        report.row(case, variant, "parameters", [plan.make(spec, subject.whole.sample).parameters])
        report.row(case, variant, "s an epoch", [one.seconds / (subject.epochs // 2) for one in outcomes])
        report.row(case, variant, "% right", [one.test for one in outcomes])


def amounts(subject: Subject, seeds: int, threads: int, report: Report) -> None:
    """The same number of steps with a part of the data and with all of it, as it is and augmented."""
    total = len(subject.whole.train)
    steps = 6 * subject.epochs * subject.epoch_steps // 5
    found: dict[tuple[int, str], list[float]] = {}
    for seed in range(seeds):
        for share in SHARES:
            for name, data in (("as they are", {}), ("shift 2", {"augment": {"shift": 2}})):
                count = round(share * total)
                one = _train(subject, count, {**ADAM, "steps": steps}, data=data, seed=seed, threads=threads)
                found.setdefault((count, name), []).append(one.test)
    for (count, name), values in found.items():
        report.row(f"data, {steps} steps", f"{count} samples, {name}", "% right", values)


def precisions(subject: Subject, seeds: int, threads: int, report: Report) -> None:
    """The seed network, whose convolutions are large enough to gain, in 32 and in 16 bits; ratios are of pairs."""
    found: dict[str, list[Outcome]] = {"fp32": [], "bf16": []}
    network = {"family": "cnn"}
    data = {"resize": [28, 28]} if min(subject.whole.sample.shape[:2]) < 10 else {}
    for seed in range(seeds):
        for precision, outcomes in found.items():
            rules = {**ADAM, "epochs": 3, "precision": precision}
            outcomes.append(_train(subject, subject.few, rules, network=network, data=data, seed=seed, threads=threads))
    for precision, outcomes in found.items():
        report.row("seed CNN, 3 epochs", precision, "% right", [one.test for one in outcomes])
        report.row("seed CNN, 3 epochs", precision, "s", [one.seconds for one in outcomes])
    pairs = zip(found["bf16"], found["fp32"], strict=True)
    report.row(
        "seed CNN, 3 epochs", "seconds, bf16 / fp32", "ratio", [short.seconds / full.seconds for short, full in pairs]
    )


def compression(subject: Subject, folder: Path, report: Report) -> None:
    """Bytes of the set: as numbers of 32 bits, as the bytes that it is held in, and in the database."""
    spec = TrainSpec.model_validate({"network": subject.network(), "data": {"validation": VALIDATION}})
    parts = splits.split(subject.whole, spec)
    held = Resident(parts.train, splits.preprocessing(parts.train, spec, subject.whole), torch.device("cpu"))
    report.row("memory, training split", "as fp32", "bytes", [4 * held.inputs.numel()])
    report.row("memory, training split", "as held (uint8)", "bytes", [held.inputs.nbytes])
    database = Database(f"sqlite:///{folder / 'blobs.db'}")
    upgrade(database)
    sha256, size = blobs.write_file(database, subject.file)
    with database.reading() as session:
        stored = session.scalars(select(Blob.stored_size).where(Blob.sha256 == sha256)).one()
    database.close()
    report.row("database, the whole set", "raw", "bytes", [size])
    report.row("database, the whole set", "as stored", "bytes", [stored])


def _train(subject: Subject, count: int, rules: dict[str, Any], *, seed: int, **options: Any) -> Outcome:
    """One training that does not diverge."""
    outcome = train(subject, subject.fewer(count, seed), rules, seed=seed, **options)
    assert outcome is not None, "these rates are small"
    return outcome

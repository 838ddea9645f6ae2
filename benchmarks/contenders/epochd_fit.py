"""Epochd: ``models.training.fit``, driven by its own events as a worker's child drives it."""

from pathlib import Path

import torch

from benchmarks.contenders.case import Case
from benchmarks.contenders.rounds import Rounds
from core.specs import TrainSpec
from models import events, training
from models.data import splits


def main() -> None:
    """Train as told."""
    case, rounds = Case.given(), Rounds()
    dataset = splits.load(Path(case.folder) / "mnist.safetensors")
    run = training.fit(TrainSpec.model_validate(case.spec), dataset, threads=case.threads)
    next(run)
    rounds.ready({"torch": str(torch.__version__)}, "models.training.fit, the environment of a worker's child")
    step = 0
    for event in run:
        if isinstance(event, events.Metrics):
            rounds.step(event.values["train_loss"], event.step - step)
            step = event.step


if __name__ == "__main__":
    main()

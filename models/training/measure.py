"""How good the weights of a checkpoint are, as their training would have told had it ended there."""

import torch
from torch import Tensor

from core.specs import TrainSpec
from models.data.splits import Dataset
from models.events import Finished
from models.training.run import Run
from models.training.start import Start


def measure(
    spec: TrainSpec, dataset: Dataset, weights: dict[str, Tensor], *, step: int, epoch: int, threads: int
) -> Finished:
    """Score weights of that step on validation and test; ``stopped`` is ``checkpoint``. Nothing is trained.

    Raises:
        ValueError: the weights are those of another network, or no training's data.
        Diverged: the validation loss is not finite.
    """
    run = Run(spec, dataset, threads, torch.device("cpu"), Start(weights, keep_head=True))
    run.progress.step, run.progress.epoch, run.progress.stopped = step, epoch, "checkpoint"
    run.validate()
    return run.finish()

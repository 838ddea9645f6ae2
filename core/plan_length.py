"""How long a training is, in samples, steps and FLOPs: what a spec and the size of the training split make of it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from core import plan_language
from core.plan_forecast import windows
from core.specs import Task, TrainSpec

BACKWARD = 2
"""The backward pass costs two forward passes: a gradient for the inputs and one for the weights of every product."""


@dataclass(frozen=True)
class Length:
    """``steps`` and ``samples`` of the whole run are null when seconds rule; early stopping may end it sooner."""

    samples_per_epoch: int
    steps_per_epoch: int
    steps: int | None
    samples: int | None

    def flops(self, forward: int) -> int | None:
        """Of the whole run, where one forward pass of one sample costs ``forward``; null when its end is not known."""
        return None if self.samples is None else (1 + BACKWARD) * forward * self.samples


def held_out(count: int, share: float) -> int:
    """Samples of a training split of ``count`` that become the validation split."""
    return max(1, round(count * share))


def samples(spec: TrainSpec, task: Task, splits: Mapping[str, int]) -> Mapping[str, int]:
    """What a training sees of a dataset's splits: windows of a forecast's table or of a corpus, all else as it is."""
    if task == "language":
        train = splits["train"]
        held = 0 if "validation" in splits else held_out(train, spec.data.validation)
        return {**splits, "train": plan_language.windows(spec.data, train, train - held), "validation": 0}
    if task != "forecast":
        return splits
    cut = windows(spec.data, splits["train"], splits["test"])
    return {"train": cut.train, "validation": cut.validation, "test": cut.test}


def length(spec: TrainSpec, splits: Mapping[str, int]) -> Length:
    """Of a training on so many ``samples`` of each split; without a validation split one is cut from train."""
    rules = spec.hyperparameters
    samples = splits["train"]
    if "validation" not in splits:
        samples -= held_out(samples, spec.data.validation)
    batch = rules.samples_per_batch
    a_step = samples if batch is None else batch * rules.accumulate
    steps_per_epoch = math.ceil(samples / a_step)
    steps = rules.steps
    if rules.epoch_limit is not None:
        steps = rules.epoch_limit * steps_per_epoch
    if steps is None:
        return Length(samples, steps_per_epoch, None, None)
    epochs, rest = divmod(steps, steps_per_epoch)
    return Length(samples, steps_per_epoch, steps, epochs * samples + rest * a_step)

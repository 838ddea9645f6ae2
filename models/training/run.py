"""One training in memory: network, optimizer, data, and the operations that the loop is made of."""

import contextlib
import math
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn

from core import plan, plan_task
from core.environment import differences
from core.specs import TrainSpec
from models.checkpoint import Checkpoint
from models.data.augment import Augmentation
from models.data.corpus import Corpus
from models.data.held import place
from models.data.resident import Resident
from models.data.splits import Dataset, preprocessing, split
from models.events import Diverged, Finished
from models.networks import build
from models.training import environment, objective, optim, schedule
from models.training.identity import identity
from models.training.progress import Progress
from models.training.shares import Shares
from models.training.start import Start


@dataclass
class Sums:
    """Of training, since it was last logged: on the device, read only when it is logged.

    ``reported`` is the objective's second number, e.g. how many samples were right.
    """

    loss: Tensor
    weight: Tensor
    reported: Tensor

    @classmethod
    def zero(cls, device: torch.device) -> "Sums":
        """Nothing summed yet."""
        loss, weight, reported = torch.zeros((3,), dtype=torch.float64, device=device)
        return cls(loss, weight, reported)


class Run:
    """A seeded training at step ``progress.step``; nothing in it depends on time."""

    def __init__(
        self, spec: TrainSpec, dataset: Dataset, threads: int, device: torch.device, start: Start | None = None
    ) -> None:
        environment.prepare(spec.seed, threads, device)
        self.spec, self.rules, self.threads, self.device = spec, spec.hyperparameters, threads, device
        splits = split(dataset, spec)
        self.preprocessing = preprocessing(splits.train, spec, dataset)
        placed = place(splits, self.preprocessing, device, dataset.scratch)
        self.train, self.validation, self._test = placed.train, placed.validation, placed.test
        tokens = self.preprocessing.tokens
        self.plan = plan.make(spec, replace(dataset.sample, vocabulary=None if tokens is None else tokens.size))
        self.augmentation: Augmentation | None = None
        if spec.data.augment is not None:
            assert isinstance(self.train, Resident), "the plan has refused to augment windows"
            black = self.train.prepare(torch.zeros_like(self.train.mean))
            self.augmentation = Augmentation(spec.data.augment, spec.seed, black, dataset.sample.kind)
        self.network = build(self.plan)
        if start is not None:
            start.put_into(self.network)
        self.network.to(device)
        self._started_from = None if start is None else start.identity
        self.optimizer = optim.make(self.rules.optimizer, self.network)
        self.progress, self.sums = Progress(), Sums.zero(device)
        self.best_weights: dict[str, Tensor] = {}
        self.objective = objective.make(spec, dataset.sample, self.preprocessing, self.train)
        self.monitor = plan_task.monitor(self.rules, dataset.sample.task)
        samples = self.rules.samples_per_batch
        self.micro_batch = samples or plan.FULL_BATCH_CHUNK
        self.shares = Shares(self.network, self.plan, self.micro_batch, threads, device)
        self.samples_per_step = len(self.train) if samples is None else samples * self.rules.accumulate
        self.steps_per_epoch = math.ceil(len(self.train) / self.samples_per_step)
        self.total_steps = self.rules.steps
        if self.rules.epoch_limit is not None:
            self.total_steps = self.rules.epoch_limit * self.steps_per_epoch
        self._order = self.train.order(spec.seed, 0, self.samples_per_step)
        self._order_epoch = 0
        self._check_single_samples()

    @property
    def rate(self) -> float:
        """The learning rate of the next update."""
        share = schedule.factor(self.rules.schedule, self.progress.step, self.steps_per_epoch, self.total_steps)
        return self.rules.optimizer.learning_rate * share

    def step(self) -> float:
        """One update of the weights; gives the learning rate that it used."""
        rate = self.rate
        optim.set_rate(self.optimizer, rate)
        self.optimizer.zero_grad(set_to_none=True)
        indices = self._next_indices()
        targets = self.train.wanted(indices)
        # one divisor for the whole step, so that k micro-batches give exactly the gradient's mean over their samples
        weight = self.objective.weight(targets)
        score = partial(self._score, weight=weight)
        parts = zip(*(torch.split(whole, self.micro_batch) for whole in (indices, targets)), strict=True)
        for number, (part, wanted) in enumerate(parts):
            inputs, lengths = self.train.batch(part)
            if self.augmentation is not None:
                inputs = self.augmentation(inputs, self.progress.step, number * self.micro_batch, lengths)
            for loss, reported in self.shares.backward(score, inputs, lengths, wanted):
                self.sums.loss += loss
                self.sums.reported += reported
        self.sums.weight += weight
        if self.rules.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.rules.clip_norm)
        self.optimizer.step()
        self.progress.step += 1
        self.progress.epoch = (self.progress.step - 1) // self.steps_per_epoch + 1
        self.progress.logged += len(indices)
        return rate

    def _score(
        self, inputs: Tensor, lengths: Tensor | None, targets: Tensor, weight: Tensor | int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """What some samples add to the loss of the step, their own summed loss, and what else is reported of them."""
        with self._precision():
            outputs = self.network(inputs, lengths)
        loss, reported = self.objective.loss(outputs.float(), targets)
        return loss / weight, loss.detach(), reported

    def read_sums(self) -> dict[str, float]:
        """Mean training loss, and what else the objective reports, since the last call."""
        values = {
            "train_loss": self.checked_loss() or 0.0,
            **self.objective.reported(self.sums.reported.item(), self.progress.logged),
        }
        self.sums, self.progress.logged = Sums.zero(self.device), 0
        return values

    def checked_loss(self) -> float | None:
        """Mean training loss since it was last read, null if no step was made; Diverged if it is not finite."""
        if not self.progress.logged:
            return None
        loss = (self.sums.loss / self.sums.weight).item()
        if not math.isfinite(loss):
            raise Diverged(self.progress.step, "train_loss", loss)
        return loss

    def validate(self) -> dict[str, float]:
        """Score the validation split and remember the weights if they are the best."""
        values = self.objective.scores(self.network, self.validation)
        if not math.isfinite(values["loss"]):
            raise Diverged(self.progress.step, "validation_loss", values["loss"])
        if self.progress.note_validation(values, self.rules, self.monitor):
            self.best_weights = _copy(self.network.state_dict())
        return {f"validation_{name}": value for name, value in values.items()}

    def checkpoint(self) -> Checkpoint:
        """Everything that the next step depends on, as copies."""
        self.checked_loss()
        state = {f"optimizer/{key}": value for key, value in optim.tensors(self.optimizer, self.network).items()}
        state |= {f"generator/{key}": value for key, value in environment.generator_states(self.device).items()}
        state |= {
            f"sums/{name}": getattr(self.sums, name).to("cpu", copy=True) for name in ("loss", "weight", "reported")
        }
        if self.progress.best_step != self.progress.step:
            state |= {f"best/{key}": value for key, value in _copy(self.best_weights).items()}
        return Checkpoint(_copy(self.network.state_dict()), state, self.manifest())

    def manifest(self) -> dict[str, Any]:
        """What a checkpoint says about itself."""
        return {
            "step": self.progress.step,
            "epoch": self.progress.epoch,
            "progress": self.progress.as_dict(),
            "training": self._identity(),
            "environment": environment.describe(self.threads, self.device),
        }

    def restore(self, checkpoint: Checkpoint) -> str | None:
        """Go back to a checkpoint; the reason if bits may differ from then on. ValueError: it is another training's."""
        if checkpoint.manifest["training"] != self._identity():
            raise ValueError("the checkpoint belongs to another training: its spec or its data set is not this one's")
        groups: dict[str, dict[str, Tensor]] = {"optimizer": {}, "generator": {}, "sums": {}, "best": {}}
        for key, value in checkpoint.state.items():
            group, name = key.split("/", 1)
            groups[group][name] = value
        self.network.load_state_dict(checkpoint.weights)
        optim.restore(self.optimizer, self.network, groups["optimizer"])
        environment.restore_generators(groups["generator"], self.device)
        self.sums = Sums(**{name: value.to(self.device, copy=True) for name, value in groups["sums"].items()})
        self.progress = Progress.from_dict(checkpoint.manifest["progress"])
        if self.progress.best:
            self.best_weights = _copy(groups["best"] or checkpoint.weights)
        now = environment.describe(self.threads, self.device)
        return "; ".join(differences(checkpoint.manifest["environment"], now)) or None

    def finish(self) -> Finished:
        """Choose the best weights and read the test split, once."""
        progress = self.progress
        assert progress.stopped is not None
        self.network.load_state_dict(self.best_weights)
        tested = self.objective.tested(self.network, self._test())
        manifest = self.manifest() | {"step": progress.best_step, "epoch": progress.best_epoch}
        return Finished(
            step=progress.step,
            epoch=progress.epoch,
            stopped=progress.stopped,
            best=Checkpoint(_copy(self.best_weights), {}, manifest),
            best_step=progress.best_step,
            best_epoch=progress.best_epoch,
            validation=progress.best,
            test=tested.test,
            confusion_matrix=tested.confusion_matrix,
            per_class=tested.per_class,
            baseline=tested.baseline,
            forecasts=tested.forecasts,
            preprocessing=self.preprocessing,
            plan=self.plan,
        )

    def _next_indices(self) -> Tensor:
        """The samples of the next step; a full batch needs no shuffling, but windows begin elsewhere each time."""
        epoch, position = divmod(self.progress.step, self.steps_per_epoch)
        if epoch != self._order_epoch and (self.steps_per_epoch > 1 or isinstance(self.train, Corpus)):
            self._order = self.train.order(self.spec.seed, epoch, self.samples_per_step)
            self._order_epoch = epoch
        start = position * self.samples_per_step
        return self._order[start : start + self.samples_per_step]

    def _precision(self) -> contextlib.AbstractContextManager[Any]:
        if self.rules.precision == "fp32":
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, torch.bfloat16, cache_enabled=self.shares.count == 1)

    def _check_single_samples(self) -> None:
        """A last batch of one sample cannot pass a batch normalisation of one place: say so before, not in an hour."""
        last = len(self.train) % self.samples_per_step or self.samples_per_step
        if last % self.micro_batch == 1 and self.plan.least_batch == 2:
            raise ValueError(
                f"the last batch of an epoch would have a single sample ({len(self.train)} to train on), which batch "
                'normalisation of a single place cannot use; change batch_size, or use norm "group"'
            )

    def _identity(self) -> str:
        samples = [len(self.train), len(self.validation)]
        return identity(self.spec, samples, self.preprocessing, self._started_from)


def _copy(tensors: dict[str, Any]) -> dict[str, Tensor]:
    """Copies on the CPU that nothing changes any more."""
    return {name: cast(Tensor, value).detach().to("cpu", copy=True).contiguous() for name, value in tensors.items()}

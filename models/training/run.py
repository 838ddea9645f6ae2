"""One training in memory: network, optimizer, data, and the operations that the loop is made of."""

import contextlib
import math
from dataclasses import replace
from functools import partial
from typing import Any, cast

import torch
from numpy.typing import NDArray
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
from models.training import batch_norm, environment, graphs, objective, optim, schedule
from models.training.identity import identity
from models.training.progress import Progress
from models.training.ranks import Ranks, Team, apart, joined
from models.training.shares import Shares
from models.training.start import Start
from models.training.sums import Sums

EXPLODED = 1e6
"""A mean training loss beyond this is no learning any more: guessing has about 1 of scaled numbers, and the logarithm
of the classes, 9.2 for 10,000. With saturated cells or Adam it may stay finite for ever."""


class Run:
    """A seeded training at step ``progress.step``; nothing in it depends on time."""

    def __init__(
        self,
        spec: TrainSpec,
        dataset: Dataset,
        threads: int,
        device: torch.device,
        start: Start | None = None,
        ranks: Ranks | None = None,
    ) -> None:
        self.ranks, self.team = ranks, ranks if isinstance(ranks, Team) else None
        self.devices, device = (1, device) if ranks is None else (ranks.count, ranks.device)
        own_threads = max(1, threads // self.devices)
        environment.prepare(spec.seed, own_threads, device)
        self.spec, self.rules, self.threads, self.device = spec, spec.hyperparameters, threads, device
        splits = split(dataset, spec)
        self.preprocessing = preprocessing(splits.train, spec, dataset, None if start is None else start.tokens)
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
        if ranks is not None and ranks.rank:
            environment.seed_apart(spec.seed, ranks.rank)
        self._started_from = None if start is None else start.identity
        self.optimizer = optim.make(self.rules.optimizer, self.network)
        self.progress, self.sums = Progress(), Sums.zero(device)
        self.inexact: str | None = None
        self.best_weights: dict[str, Tensor] = {}
        self.objective = objective.make(spec, dataset.sample, self.preprocessing, self.train)
        self.monitor = plan_task.monitor(self.rules, dataset.sample.task)
        samples = self.rules.samples_per_batch
        self.micro_batch = samples or plan.FULL_BATCH_CHUNK
        part = math.ceil(self.micro_batch / self.devices)
        self.shares = Shares(self.network, self.plan, part, own_threads, device)
        self.samples_per_step = len(self.train) if samples is None else samples * self.rules.accumulate
        self.steps_per_epoch = math.ceil(len(self.train) / self.samples_per_step)
        self.total_steps = self.rules.steps
        if self.rules.epoch_limit is not None:
            self.total_steps = self.rules.epoch_limit * self.steps_per_epoch
        self.captured: graphs.Captured | None = None
        if graphs.obstacle(self.plan, spec, device.type, self.devices, dataset.scratch is not None) is None:
            self.captured = graphs.Captured(self._update, self.optimizer, self.samples_per_step, device)
        self._order = self.train.order(spec.seed, 0, self.samples_per_step)
        self._order_epoch = 0
        batch_norm.check(self.plan, len(self.train), self.samples_per_step, self.micro_batch, self.devices)

    @property
    def rate(self) -> float:
        """The learning rate of the next update."""
        share = schedule.factor(self.rules.schedule, self.progress.step, self.steps_per_epoch, self.total_steps)
        return self.rules.optimizer.learning_rate * share

    def step(self) -> float:
        """One update of the weights; gives the learning rate that it used."""
        if self.team is not None:
            self.team.tell("step")
        rate = self.rate
        optim.set_rate(self.optimizer, rate)
        indices = self._next_indices()
        if self.captured is not None and len(indices) == self.samples_per_step:
            self.captured(indices)
        else:
            self._update(indices)
        self.progress.advance(len(indices), self.steps_per_epoch)
        return rate

    def _update(self, indices: Tensor) -> None:
        """Change the weights by these samples. On a GPU nothing in it waits for the device."""
        self.optimizer.zero_grad(set_to_none=True)
        targets = self.train.wanted(indices)
        # one divisor for the whole step, so that k micro-batches give exactly the gradient's mean over their samples
        weight = self.objective.weight(targets)
        score = partial(self._score, weight=weight)
        parts = zip(*(torch.split(whole, self.micro_batch) for whole in (indices, targets)), strict=True)
        for number, (part, wanted) in enumerate(parts):
            first = number * self.micro_batch
            if self.ranks is not None:
                first += self.ranks.offset(len(part))
                part, wanted = self.ranks.part(part), self.ranks.part(wanted)
                if not len(part):
                    continue
            inputs, lengths = self.train.batch(part)
            if self.augmentation is not None:
                inputs = self.augmentation(inputs, self.progress.step, first, lengths)
            for loss, reported in self.shares.backward(score, inputs, lengths, wanted):
                self.sums.loss += loss
                self.sums.reported += reported
        if self.ranks is not None:
            self.ranks.add_up(self.shares.parameters)
        self.sums.weight += weight
        if self.rules.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.rules.clip_norm)
        self.optimizer.step()

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
        loss, reported = self._totals()
        values = {"train_loss": self._checked(loss), **self.objective.reported(reported, self.progress.logged)}
        self.progress.logged = 0
        self.forget_sums()
        if self.team is not None:
            self.team.tell("forget_sums")
        return values

    def forget_sums(self) -> None:
        """Begin to sum anew."""
        self.sums.forget()

    def _totals(self) -> tuple[float, float]:
        """Summed training loss, and what else is reported, of all ranks since they were last read."""
        loss, reported = self.sums.loss.item(), self.sums.reported.item()
        for own in [] if self.team is None else self.team.ask("own_state"):
            loss, reported = loss + float(own["sums/loss"]), reported + float(own["sums/reported"])
        return loss, reported

    def _checked(self, summed: float) -> float:
        """The mean of a summed training loss; Diverged if it is not finite, or has exploded."""
        loss = summed / self.sums.weight.item()
        if not loss <= EXPLODED:  # written so that NaN fails too
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
        if self.progress.logged:
            self._checked(self._totals()[0])
        state = {f"optimizer/{key}": value for key, value in optim.tensors(self.optimizer, self.network).items()}
        states = [self.own_state(), *([] if self.team is None else self.team.ask("own_state"))]
        state |= joined(states)
        if self.progress.best_step != self.progress.step:
            state |= {f"best/{key}": value for key, value in _copy(self.best_weights).items()}
        return Checkpoint(_copy(self.network.state_dict()), state, self.manifest())

    def own_state(self) -> dict[str, NDArray[Any]]:
        """What a checkpoint needs of this rank alone: its random generators, its sums."""
        own = {f"generator/{key}": value for key, value in environment.generator_states(self.device).items()}
        own |= {f"sums/{name}": getattr(self.sums, name) for name in ("loss", "weight", "reported")}
        return {key: value.to("cpu", copy=True).numpy() for key, value in own.items()}

    def manifest(self) -> dict[str, Any]:
        """What a checkpoint says about itself."""
        return {
            "step": self.progress.step,
            "epoch": self.progress.epoch,
            "progress": self.progress.as_dict(),
            "training": self._identity(),
            "environment": environment.describe(self.threads, self.device, self.devices),
        }

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go back to a checkpoint; ``inexact`` says if bits may differ. ValueError: it is another training's."""
        if checkpoint.manifest["training"] != self._identity():
            raise ValueError("the checkpoint belongs to another training: its spec or its data set is not this one's")
        groups: dict[str, dict[str, Tensor]] = {"optimizer": {}, "generator": {}, "sums": {}, "best": {}}
        rank = 0 if self.ranks is None else self.ranks.rank
        for key, value in apart(checkpoint.state, rank, self.devices).items():
            group, name = key.split("/", 1)
            groups[group][name] = value
        self.network.load_state_dict(checkpoint.weights)
        optim.restore(self.optimizer, self.network, groups["optimizer"])
        environment.restore_generators(groups["generator"], self.device)
        for name, value in groups["sums"].items():
            getattr(self.sums, name).copy_(value)
        self.progress = Progress.from_dict(checkpoint.manifest["progress"])
        if self.progress.best:
            self.best_weights = _copy(groups["best"] or checkpoint.weights)
        now = environment.describe(self.threads, self.device, self.devices)
        self.inexact = "; ".join(differences(checkpoint.manifest["environment"], now)) or None

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

    def _identity(self) -> str:
        samples = [len(self.train), len(self.validation)]
        return identity(self.spec, samples, self.preprocessing, self._started_from)


def _copy(tensors: dict[str, Any]) -> dict[str, Tensor]:
    """Copies on the CPU that nothing changes any more."""
    return {name: cast(Tensor, value).detach().to("cpu", copy=True).contiguous() for name, value in tensors.items()}

"""The training loop."""

import contextlib
import time
from collections.abc import Callable, Iterator

import torch

from core.specs import TrainSpec
from models.checkpoint import Checkpoint
from models.data.splits import Dataset
from models.events import Checkpointed, Event, FirstStep, Metrics, Paused, Started, StopStep
from models.training.ranks import Ranks, Team
from models.training.run import Run
from models.training.start import Start

_CHECKPOINT_STRIDE = 100
"""A checkpoint that is due waits at most this many steps (and no longer than the end of the epoch)."""


def never() -> bool:
    """The answer to ``pause`` and ``due`` of a training that nobody interrupts."""
    return False


def fit(
    spec: TrainSpec,
    dataset: Dataset,
    *,
    resume: Checkpoint | None = None,
    start: Start | None = None,
    threads: int,
    device: str = "cpu",
    devices: int = 1,
    stop_step: int | None = None,
    pause: Callable[[], bool] = never,
    due: Callable[[], bool] = never,
) -> Iterator[Event]:
    """Train, and say so event by event. The same spec, data and threads give the same bits, interrupted or not.

    It seeds torch, NumPy and ``random`` and sets torch's threads for the whole process. ``pause`` is asked after every
    step; ``due`` at the end of every epoch and every ``log_every`` steps (at most 100): true gives a checkpoint there.
    ``devices`` of this kind train together, each in a process of its own; on a CPU these share the threads.
    ``start`` takes the place of random weights, also in what a resumed training must have begun with.
    ``stop_step`` is what an earlier attempt of a run limited by seconds announced (the clock is read for that only).

    Raises PlanError and ValueError for what cannot be trained, Diverged when a loss is not finite, RankFailed when the
    process of another device fails.
    """

    def make(ranks: Ranks | None) -> Run:
        run = Run(spec, dataset, threads, torch.device(device), start, ranks)
        if resume is not None:
            run.restore(resume)
        run.network.train()
        return run

    if devices == 1:
        yield from _train(make(None), stop_step, pause, due)
        return
    with contextlib.closing(Team(devices, torch.device(device), make)) as team:
        yield from _train(make(team), stop_step, pause, due)


def _train(run: Run, stop_step: int | None, pause: Callable[[], bool], due: Callable[[], bool]) -> Iterator[Event]:
    """From the step at which a run is to its end."""
    rules, progress = run.rules, run.progress
    limit, seconds = run.total_steps, None
    if rules.seconds is not None:
        limit, seconds = stop_step, rules.seconds if stop_step is None else None
    yield Started(
        step=progress.step,
        epoch=progress.epoch,
        total_steps=limit,
        epochs=rules.epoch_limit,
        steps_per_epoch=run.steps_per_epoch,
        plan=run.plan,
        threads=run.threads,
        device=run.device.type,
        devices=run.devices,
        exact=run.inexact is None,
        reason=run.inexact,
    )
    limited_by = "epochs" if rules.epoch_limit is not None else "steps" if rules.steps is not None else "seconds"
    stride = min(rules.log_every, _CHECKPOINT_STRIDE)
    began, first = time.monotonic() - progress.seconds if seconds is not None else 0.0, True
    stopped = progress.stopped is not None
    while not stopped:
        rate = run.step()
        if first:
            first = False
            yield FirstStep(progress.step)
        if seconds is not None:
            progress.seconds = time.monotonic() - began
            if progress.seconds >= seconds:
                limit = progress.step
                yield StopStep(limit)
        at_limit = limit is not None and progress.step >= limit
        epoch_ends = progress.step % run.steps_per_epoch == 0
        values: dict[str, float] = {}
        if epoch_ends or at_limit:
            values = run.validate()
            stopped = progress.decide(rules, limited_by if at_limit else None)
        if progress.step % rules.log_every == 0 or stopped:
            values = {**run.read_sums(), "learning_rate": rate, **values}
        if values:
            yield Metrics(progress.step, progress.epoch, values)
        pausing = pause() and not stopped
        if pausing or stopped or ((epoch_ends or progress.step % stride == 0) and due()):
            yield Checkpointed(
                run.checkpoint(),
                progress.epoch,
                progress.step,
                progress.best_step == progress.step,
                progress.validation,
            )
        if pausing:
            yield Paused(progress.step)
            return
    yield run.finish()

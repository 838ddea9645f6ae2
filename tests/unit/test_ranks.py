"""Several devices: two processes train what one does, pause and resume to the bit, and fail as one."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from core.specs import TrainSpec
from models.checkpoint import Checkpoint, digest
from models.data.splits import Dataset, load
from models.events import Checkpointed, Diverged, Event, Metrics, Started
from models.training import fit
from models.training.ranks import RankFailed, Ranks
from models.training.run import Run

CNN: dict[str, Any] = {"family": "cnn", "stages": [{"channels": 4, "norm": "group"}], "hidden": [8]}
RNN: dict[str, Any] = {"family": "rnn", "cell": "lstm", "hidden": 8}
DROPPING: dict[str, Any] = {"family": "cnn", "stages": [{"channels": 4, "dropout": 0.2}], "hidden": [8], "dropout": 0.3}


def spec_of(network: dict[str, Any], data: dict[str, Any] | None = None, **rules: Any) -> TrainSpec:
    body = {
        "network": network,
        "data": data or {},
        "hyperparameters": {"epochs": 2, "log_every": 3, **rules},
        "seed": 3,
    }
    return TrainSpec.model_validate(body)


def run(dataset: Dataset, spec: TrainSpec, devices: int = 2, **options: Any) -> list[Event]:
    return list(fit(spec, dataset, threads=2, devices=devices, **options))


def curve(events: list[Event]) -> list[tuple[int, dict[str, float]]]:
    return [(event.step, event.values) for event in events if isinstance(event, Metrics)]


def last(events: list[Event]) -> Checkpoint:
    return [event.checkpoint for event in events if isinstance(event, Checkpointed)][-1]


@pytest.mark.parametrize(
    ("network", "data", "rules", "devices"),
    [
        # 135 to train on: a last batch of 35, which two do not share evenly
        (CNN, {}, {"batch_size": 50, "clip_norm": 0.5, "class_weights": "balanced"}, 2),
        (CNN, {"augment": {"shift": 1, "rotate": 10.0, "cutout": 2}}, {"batch_size": 27, "accumulate": 2}, 2),
        (RNN, {}, {"batch_size": 67, "optimizer": {"name": "sgd", "momentum": 0.9}, "label_smoothing": 0.1}, 2),
        (RNN, {}, {"optimizer": {"name": "gd"}, "epochs": 4}, 2),
        # the last batch has one sample, and two of the ranks have none
        (CNN, {}, {"batch_size": 67, "precision": "bf16"}, 3),
    ],
)
def test_the_curve_is_that_of_one_device(
    few_digits: Dataset, network: dict[str, Any], data: dict[str, Any], rules: dict[str, Any], devices: int
) -> None:
    spec = spec_of(network, data, **rules)
    alone, together = run(few_digits, spec, 1), run(few_digits, spec, devices)
    started = together[0]
    assert isinstance(started, Started)
    assert (started.devices, started.threads, started.exact) == (devices, 2, True)
    near = 0.02 if rules.get("precision") == "bf16" else 1e-4
    for (step, values), (same, wanted) in zip(curve(together), curve(alone), strict=True):
        assert step == same
        losses = {name: value for name, value in values.items() if "accuracy" not in name}
        assert losses == pytest.approx({name: wanted[name] for name in losses}, rel=near)
    for name, value in last(together).weights.items():
        torch.testing.assert_close(value, last(alone).weights[name], rtol=0.01, atol=near)


@pytest.mark.parametrize("network", [DROPPING, RNN])
def test_paused_and_resumed_it_is_the_undisturbed_one(few_digits: Dataset, network: dict[str, Any]) -> None:
    spec = spec_of(network, {"augment": {"shift": 1}} if network is DROPPING else {}, batch_size=25)
    whole = run(few_digits, spec)
    for step in (1, 4, 8):
        steps = iter(range(1, step + 1))
        paused = run(few_digits, spec, pause=lambda steps=steps, step=step: next(steps) == step)
        rest = run(few_digits, spec, resume=last(paused))
        started = rest[0]
        assert isinstance(started, Started) and started.exact and started.step == step
        assert curve(paused) + curve(rest) == curve(whole)
        assert digest(last(rest).weights) == digest(last(whole).weights)
        assert digest(last(rest).state) == digest(last(whole).state)


def test_with_another_number_of_devices_it_goes_on_and_says_so(few_digits: Dataset) -> None:
    spec = spec_of(RNN, batch_size=25)
    whole = run(few_digits, spec, 1)
    for before, after in ((2, 1), (1, 2), (3, 2)):
        steps = iter(range(1, 5))
        paused = run(few_digits, spec, before, pause=lambda steps=steps: next(steps) == 4)
        rest = run(few_digits, spec, after, resume=last(paused))
        started = rest[0]
        assert isinstance(started, Started)
        assert (started.exact, started.reason) == (False, f"devices was {before} and is {after}")
        found, wanted = curve(paused) + curve(rest), curve(whole)
        assert [step for step, _ in found] == [step for step, _ in wanted]
        for (_, values), (_, same) in zip(found, wanted, strict=True):  # nothing that was summed is lost or double
            assert values == pytest.approx(same, rel=1e-4)


def test_two_devices_read_samples_that_stay_on_disk(digits: Dataset, digits_path: Path, tmp_path: Path) -> None:
    spec = spec_of(CNN, {"resize": [9, 9]}, steps=6, epochs=None)
    on_disk, in_memory = run(load(digits_path, tmp_path), spec), run(digits, spec)
    assert curve(on_disk) == curve(in_memory)
    assert digest(last(on_disk).weights) == digest(last(in_memory).weights)


def test_batch_normalisation_is_refused(few_digits: Dataset) -> None:
    spec = spec_of({"family": "cnn", "stages": [{"channels": 4, "norm": "batch"}]})
    with pytest.raises(ValueError, match='use norm "group", or one device'):
        run(few_digits, spec)
    assert not children()


def test_a_loss_that_is_no_number_in_one_rank_ends_all(few_digits: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    def poison(ranks: Ranks, run: Run) -> None:
        if ranks.rank == 1 and run.progress.step == 4:
            run.sums.loss.fill_(torch.nan)

    disturb(monkeypatch, poison)
    with pytest.raises(Diverged, match="at step 6"):
        run(few_digits, spec_of(RNN, batch_size=25))
    assert not children()


def test_an_error_in_one_rank_is_told_with_its_number(
    few_digits: Dataset, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(ranks: Ranks, run: Run) -> None:
        if ranks.rank == 1 and run.progress.step == 4:
            raise KeyError("broken")

    disturb(monkeypatch, fail)
    with pytest.raises(RankFailed, match="rank 1 of 3 failed: KeyError: 'broken'") as caught:
        run(few_digits, spec_of(RNN, batch_size=25), 3)
    assert (caught.value.rank, caught.value.code) == (1, None)
    assert "raise KeyError" in capfd.readouterr().err, "its traceback is in the log"
    assert not children()


def test_a_rank_that_is_killed_is_told_with_its_signal(few_digits: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(ranks: Ranks, run: Run) -> None:
        if ranks.rank == 2 and run.progress.step == 4:
            os.kill(os.getpid(), signal.SIGKILL)

    disturb(monkeypatch, die)
    with pytest.raises(RankFailed, match="rank 2 of 3 failed: it was ended by SIGKILL") as caught:
        run(few_digits, spec_of(RNN, batch_size=25), 3)
    assert caught.value.code == -signal.SIGKILL
    assert not children()


def disturb(monkeypatch: pytest.MonkeyPatch, what: Callable[[Ranks, Run], None]) -> None:
    """Have something happen in every rank at the beginning of a step."""
    step = Run.step

    def disturbed(run: Run) -> float:
        assert run.ranks is not None
        what(run.ranks, run)
        return step(run)

    monkeypatch.setattr(Run, "step", disturbed)


def children() -> list[int]:
    """The processes that were forked from this one and are still there: other tests' services are other programs."""
    import psutil

    own = psutil.Process()
    return [child.pid for child in own.children() if child.cmdline() == own.cmdline()]

"""A resumed training is the undisturbed one, bit for bit: other process, random steps, every rule and precision."""

import hashlib
import json
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save

from core.specs import TrainSpec
from models import checkpoint
from models.data.splits import Dataset, load
from models.events import Checkpointed, Event, Finished, Metrics, Started
from models.training import fit

CNN = {
    "family": "cnn",
    "stages": [{"channels": 6, "dropout": 0.2, "norm": "batch"}],
    "hidden": [12],
    "dropout": 0.3,
}


def rnn(cell: str) -> dict[str, Any]:
    return {"family": "rnn", "cell": cell, "hidden": 12, "layers": 2, "bidirectional": True, "dropout": 0.3}


CASES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (CNN, {"optimizer": {"name": "adam"}, "batch_size": 64, "epochs": 2}),
    (CNN, {"optimizer": {"name": "gd"}, "epochs": 8, "log_every": 3}),
    (CNN, {"optimizer": {"name": "sgd"}, "schedule": {"name": "step", "step_epochs": 1}, "accumulate": 3, "epochs": 3}),
    (
        rnn("elman"),
        {
            "optimizer": {"name": "sgd", "momentum": 0.9, "nesterov": True},
            "schedule": {"name": "cosine", "warmup_steps": 5},
            "precision": "bf16",
            "steps": 33,
            "early_stopping": {"patience": 1},
        },
    ),
    (
        rnn("gru"),
        {
            "optimizer": {"name": "rmsprop", "momentum": 0.5, "weight_decay": 0.01},
            "label_smoothing": 0.1,
            "epochs": 1,
            "clip_norm": 0.1,
            "log_every": 4,
        },
    ),
    (
        rnn("lstm"),
        {
            "optimizer": {"name": "adamw", "weight_decay": 0.1},
            "schedule": {"name": "one_cycle"},
            "class_weights": "balanced",
            "monitor": "validation_loss",
            "epochs": 1,
        },
    ),
    (CNN, {"optimizer": {"name": "adam", "weight_decay": 0.1}, "precision": "bf16", "epochs": 2, "batch_size": 100}),
    (CNN, {"optimizer": {"name": "rmsprop"}, "seconds": 1000.0, "target": {"metric": "validation_loss", "value": 0.0}}),
    (CNN, {"optimizer": {"name": "adam"}, "accumulate": 2, "epochs": 2}),
]
AUGMENTED = {"shift": 1, "rotate": 10.0, "cutout": 2, "brightness": 0.1, "contrast": 0.2, "noise": 0.1}
DATA: dict[int, dict[str, Any]] = {8: {"augment": AUGMENTED}}
"""Of the cases that have some, by their place."""
TARGET = {"metric": "validation_loss", "value": 1000.0}
STOP_STEP = 37
"""For the case that is limited by seconds, as an earlier attempt would have announced it."""


def run(dataset: Dataset, spec: TrainSpec, **options: Any) -> list[Event]:
    stop = STOP_STEP if spec.hyperparameters.seconds is not None else None
    return list(fit(spec, dataset, threads=1, stop_step=stop, **options))


def story(events: list[Event]) -> dict[str, Any]:
    """All that a user could see of a run after its start, as JSON."""
    final = [event for event in events if isinstance(event, Checkpointed)][-1]
    end = events[-1]
    assert isinstance(end, Finished)
    return {
        "metrics": [[event.step, event.epoch, event.values] for event in events if isinstance(event, Metrics)],
        "weights": hashlib.sha256(save(final.checkpoint.weights)).hexdigest(),
        "state": {
            name: hashlib.sha256(save({name: value})).hexdigest() for name, value in final.checkpoint.state.items()
        },
        "best": hashlib.sha256(save(end.best.weights)).hexdigest(),
        "end": [end.step, end.epoch, end.stopped, end.best_step, end.best_epoch, end.validation, end.test],
        "confusion_matrix": end.confusion_matrix,
    }


def interrupted(dataset: Dataset, spec: TrainSpec, step: int) -> checkpoint.Checkpoint:
    """The checkpoint of a run that was paused after ``step``."""
    counter = iter(range(1, step + 1))
    events = run(dataset, spec, pause=lambda: next(counter) == step)
    found = [event for event in events if isinstance(event, Checkpointed)][-1]
    assert found.step == step
    return found.checkpoint


def resumed_here(cases: list[dict[str, Any]], data: str) -> list[dict[str, Any]]:
    """What the other process does: go on from files."""
    dataset, results = load(data), []
    for case in cases:
        found = checkpoint.load(Path(case["weights"]), Path(case["state"]))
        events = run(dataset, TrainSpec.model_validate(case["spec"]), resume=found)
        (started,) = [event for event in events if isinstance(event, Started)]
        results.append({"exact": started.exact, "from": started.step, **story(events)})
    return results


def resumed_in_a_new_process(cases: list[dict[str, Any]], data: Path) -> list[dict[str, Any]]:
    code = (
        "import importlib.util, json, sys;"
        f"spec = importlib.util.spec_from_file_location('resuming', {str(Path(__file__))!r});"
        "module = importlib.util.module_from_spec(spec); spec.loader.exec_module(module);"
        f"print(json.dumps(module.resumed_here(json.load(sys.stdin), {str(data)!r})))"
    )
    done = subprocess.run([sys.executable, "-c", code], input=json.dumps(cases), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    results: list[dict[str, Any]] = json.loads(done.stdout)
    return results


def test_resuming_anywhere_gives_the_undisturbed_bits(digits: Dataset, digits_path: Path, tmp_path: Path) -> None:
    work: list[dict[str, Any]] = []
    wanted: list[dict[str, Any]] = []
    for number, (network, rules) in enumerate(CASES):
        body = {"network": network, "data": DATA.get(number, {}), "hyperparameters": rules, "seed": number}
        spec = TrainSpec.model_validate(body)
        whole = story(run(digits, spec))
        for step in random.sample(range(1, whole["end"][0]), 2):
            folder = tmp_path / f"{number}-{step}"
            folder.mkdir()
            weights, state = checkpoint.save(interrupted(digits, spec, step), folder)
            work.append({"spec": spec.model_dump(), "weights": str(weights), "state": str(state)})
            rest = [metric for metric in whole["metrics"] if metric[0] > step]
            wanted.append({"exact": True, "from": step, **whole, "metrics": rest})
    for case, found, expected in zip(work, resumed_in_a_new_process(work, digits_path), wanted, strict=True):
        assert found == json.loads(json.dumps(expected)), case["spec"]


@pytest.mark.parametrize("network", [CNN, rnn("elman")], ids=["cnn", "rnn"])
def test_without_the_random_generator_the_bits_differ(digits: Dataset, network: dict[str, Any]) -> None:
    """The control: the comparison above can fail."""
    spec = TrainSpec.model_validate({"network": network, "hyperparameters": {"steps": 30}})
    whole, found = story(run(digits, spec)), interrupted(digits, spec, 13)
    assert story(run(digits, spec, resume=found))["weights"] == whole["weights"]
    fresh = torch.Generator().manual_seed(spec.seed).get_state()
    without = replace(found, state={**found.state, "generator/torch": fresh})
    assert story(run(digits, spec, resume=without))["weights"] != whole["weights"]


def test_a_chain_of_interruptions_changes_nothing(few_digits: Dataset) -> None:
    spec = TrainSpec.model_validate(
        {"network": CNN, "hyperparameters": {"epochs": 4, "batch_size": 16, "log_every": 5}}
    )
    whole = story(run(few_digits, spec))
    metrics: list[Any] = []
    found: checkpoint.Checkpoint | None = None
    for pauses in (3, 1, 9, 2, 100):
        counter = iter(range(1, 1000))
        events = run(few_digits, spec, resume=found, pause=lambda c=counter, n=pauses: next(c) == n)
        metrics += [[event.step, event.epoch, event.values] for event in events if isinstance(event, Metrics)]
        (saved,) = [event for event in events if isinstance(event, Checkpointed)]
        found = saved.checkpoint
    assert story(events) == {**whole, "metrics": story(events)["metrics"]}
    assert metrics == whole["metrics"]


def test_a_run_lost_after_its_last_checkpoint_only_ends_again(few_digits: Dataset) -> None:
    spec = TrainSpec.model_validate({"network": CNN, "hyperparameters": {"epochs": 3, "target": TARGET}})
    events = run(few_digits, spec)
    (last,) = [event for event in events if isinstance(event, Checkpointed)]
    again = run(few_digits, spec, resume=last.checkpoint)
    assert [type(event) for event in again] == [Started, Finished]
    before, after = events[-1], again[-1]
    assert isinstance(before, Finished) and isinstance(after, Finished)
    assert (after.stopped, after.test, after.best_step) == (before.stopped, before.test, before.best_step)


def test_the_two_files_name_each_other_and_notice_damage(few_digits: Dataset, tmp_path: Path) -> None:
    spec = TrainSpec.model_validate({"network": CNN, "hyperparameters": {"steps": 4, "batch_size": 16}})
    first, second = (checkpoint.save(interrupted(few_digits, spec, step), tmp_path) for step in (1, 2))
    assert not list(tmp_path.glob("*.part"))
    found = checkpoint.load(*first)
    assert found.manifest["step"] == 1
    with pytest.raises(ValueError, match="does not belong") as caught:
        checkpoint.load(second[0], first[1])
    assert str(second[0]) in str(caught.value)
    for place in (50, -1):  # in the header, and in the last tensor
        content = bytearray(second[1].read_bytes())
        content[place] ^= 1
        second[1].write_bytes(content)
        with pytest.raises(ValueError, match="state") as caught:
            checkpoint.load(*second)
        assert str(second[1]) in str(caught.value)
        content[place] ^= 1
        second[1].write_bytes(content)
    second[1].write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match="is not a checkpoint's state"):
        checkpoint.load(*second)


def test_equal_weights_are_equal_files_with_nothing_else_inside(few_digits: Dataset, tmp_path: Path) -> None:
    spec = TrainSpec.model_validate({"network": CNN, "hyperparameters": {"steps": 3}})
    files: list[bytes] = []
    best: dict[str, torch.Tensor] = {}
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        events = run(few_digits, spec)
        end = events[-1]
        assert isinstance(end, Finished)
        best = end.best.weights
        files.append(checkpoint.save_weights(best, tmp_path / name / "best.safetensors").read_bytes())
    assert files[0] == files[1]
    header = json.loads(files[0][8 : 8 + int.from_bytes(files[0][:8], "little")])
    assert header.pop("__metadata__") == {"format": "pt"}
    assert sorted(header) == sorted(best)

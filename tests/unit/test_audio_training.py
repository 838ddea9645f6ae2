"""Training on recordings: learnt, resumed in every bit, and answered by the exported graph as by the network."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from ingesting import ingested
from recordings import RATE, encoded, zipped

from core.specs import Augment, TrainSpec
from models.data.augment import Augmentation
from models.data.resident import Resident
from models.data.splits import Dataset, load
from models.evaluate import predict
from models.events import Checkpointed, Event, Finished, Started
from models.export import export, verify
from models.networks import build
from models.training import fit

NETWORKS: dict[str, dict[str, Any]] = {
    "rnn": {"family": "rnn", "hidden": 16, "bidirectional": True, "readout": "mean", "dropout": 0.1},
    "cnn": {"family": "cnn", "stages": [{"channels": 6, "norm": "batch"}, {"channels": 12}], "hidden": []},
}
AUGMENT = {"noise": 0.1, "time_mask": 2, "scale": 0.1, "time_shift": 2}
each_family = pytest.mark.parametrize("family", NETWORKS)


def spec(family: str, epochs: int = 10, **data: Any) -> TrainSpec:
    rules = {"epochs": epochs, "batch_size": 16, "optimizer": {"lr": 0.005}}
    data = {"mels": 20, "augment": AUGMENT, **data}
    return TrainSpec.model_validate({"network": NETWORKS[family], "data": data, "hyperparameters": rules})


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    path: Path = tmp_path_factory.mktemp("tones") / "tones.safetensors"
    path.write_bytes(ingested({"tones.zip": zipped(40)}, pattern="{label}_{rest}").file)
    return load(path)


@each_family
def test_tones_are_learnt_and_the_graph_answers_as_the_network(family: str, dataset: Dataset) -> None:
    *_, end = fit(spec(family), dataset, threads=1)
    assert isinstance(end, Finished)
    assert end.test["accuracy"] >= 0.9
    network = build(end.plan)
    network.load_state_dict(end.best.weights)
    graph = export(end.plan, end.best.weights)
    assert verify(graph, network, end.plan) is None

    held = Resident(dataset.test, end.preprocessing, torch.device("cpu"))
    wanted = predict(network, held.inputs, held.prepare, held.lengths)
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    for recording, logits in zip(dataset.test.inputs, wanted.numpy(), strict=True):
        raw = end.preprocessing.from_recording(encoded(recording, RATE, "FLAC"))
        (found,) = session.run(["logits"], end.preprocessing.feed(raw))
        np.testing.assert_allclose(found[0], logits, rtol=0, atol=1e-4)


@each_family
def test_resuming_gives_the_undisturbed_bits(family: str, dataset: Dataset) -> None:
    wanted = list(fit(spec(family, epochs=3, normalise="recording"), dataset, threads=1))
    counter = itertools.count(1)
    before = list(
        fit(spec(family, epochs=3, normalise="recording"), dataset, threads=1, pause=lambda: next(counter) == 7)
    )
    (paused,) = [event for event in before if isinstance(event, Checkpointed)][-1:]
    assert paused.step == 7
    after = list(fit(spec(family, epochs=3, normalise="recording"), dataset, threads=1, resume=paused.checkpoint))
    assert [event.exact for event in after if isinstance(event, Started)] == [True]
    ends = [_end(events) for events in (wanted, after)]
    assert ends[0].test == ends[1].test
    for name, value in ends[0].best.weights.items():
        assert torch.equal(value, ends[1].best.weights[name])


def _end(events: list[Event]) -> Finished:
    end = events[-1]
    assert isinstance(end, Finished)
    return end


def test_a_spectrogram_is_changed_like_the_series_of_its_frames() -> None:
    frames = torch.randn(6, 30, 8, generator=torch.Generator().manual_seed(1))
    augment = Augment.model_validate({**AUGMENT, "time_mask": 9})
    changed = Augmentation(augment, 3, torch.zeros(8), "audio")(frames, 5)
    assert not torch.equal(changed, frames)
    pictures = Augmentation(augment, 3, torch.zeros(8, 1), "audio")(frames[..., None], 5)
    assert torch.equal(pictures, changed[..., None])

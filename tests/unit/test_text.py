"""Texts: the whole way from a data set file to a prediction."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from torch import Tensor

from api.serving import bodies
from api.serving.reading import Reading
from api.serving.threads import Threads
from api.serving.versions import Loaded, Version
from core.encode import Preprocessing
from core.encode.text import Tokens
from core.errors import Invalid, UnsupportedMedia
from core.plan import PlanError, Sample, make
from core.specs import TrainSpec
from models.data.splits import Dataset, load
from models.events import Checkpointed, Event, Finished
from models.export import export, verify
from models.networks import Network, build
from models.training import fit

SAMPLE = Sample("text", (), 2, (1, 30))


@pytest.mark.parametrize(
    ("body", "sample", "pointer"),
    [
        ({"network": {"family": "cnn"}}, SAMPLE, "#/network/global_pool"),
        ({"network": {"family": "rnn"}, "data": {"resize": [8, 8]}}, SAMPLE, "#/data/resize"),
        ({"network": {"family": "rnn"}, "data": {"normalise": "unit"}}, SAMPLE, "#/data/normalise"),
        ({"network": {"family": "rnn", "embedding": 8}}, Sample("series", (5, 2), 2), "#/network/embedding"),
        ({"network": {"family": "rnn"}, "data": {"tokens": "word"}}, Sample("series", (5, 2), 2), "#/data/tokens"),
        ({"network": {"family": "rnn"}, "data": {"max_length": 9}}, Sample("image", (5, 2, 1), 2), "#/data/max_length"),
    ],
)
def test_what_does_not_fit_the_samples_is_refused_at_its_field(
    body: dict[str, Any], sample: Sample, pointer: str
) -> None:
    with pytest.raises(PlanError) as caught:
        make(TrainSpec.model_validate(body), sample)
    assert caught.value.pointer == pointer


def test_the_plan_before_training_is_for_the_most_that_may_come() -> None:
    def planned(sample: Sample, **data: Any) -> tuple[int, int]:
        plan = make(TrainSpec.model_validate({"network": {"family": "rnn"}, "data": data}), sample)
        return plan.input[0], plan.layers[0].parameters // 64

    assert planned(Sample("text", (), 2)) == (512, 1000)
    assert planned(SAMPLE, tokens="word", max_length=25) == (25, 10_000)
    assert planned(SAMPLE, tokens="byte") == (120, 258)
    assert planned(Sample("text", (), 2, (1, 30), 41), vocabulary=50) == (30, 41)


WORDS = (("bra", "fyll", "glad"), ("dum", "trött", "né"))


def sentences(count: int, seed: int) -> tuple[list[str], list[int]]:
    """Three to nine words, of which the second is of the class's own."""
    generator = np.random.default_rng(seed)
    texts, targets = [], generator.integers(0, 2, count).tolist()
    for target in targets:
        rest = generator.choice(["och", "so", "ja", "é"], generator.integers(1, 8)).tolist()
        texts.append(" ".join([rest[0], str(generator.choice(WORDS[target])), *rest[1:]]))
    return texts, targets


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """A data set file of texts, read back."""
    tensors: dict[str, Any] = {}
    for number, name in enumerate(("train", "test")):
        texts, targets = sentences((300, 60)[number], number)
        encoded = [text.encode() for text in texts]
        tensors[f"{name}.text"] = np.frombuffer(b"".join(encoded), np.uint8)
        tensors[f"{name}.offsets"] = np.cumsum([0, *map(len, encoded)])
        tensors[f"{name}.targets"] = np.array(targets)
    manifest = {"kind": "text", "shape": [], "dtype": "utf8", "classes": ["+", "-"], "lengths": [4, 50]}
    path = tmp_path_factory.mktemp("data") / "texts.safetensors"
    save_file(tensors, path, metadata={"manifest": json.dumps(manifest)})
    return load(path)


def spec_of(unit: str, cell: str = "gru", **rules: Any) -> TrainSpec:
    """``cell`` of a recurrent network, or ``cnn``."""
    network: dict[str, Any] = {"family": "rnn", "cell": cell, "hidden": 16, "bidirectional": True}
    if cell == "cnn":
        network = {"family": "cnn", "stages": [{"channels": 16, "kernel": 2}], "global_pool": "max", "hidden": []}
    return TrainSpec.model_validate(
        {
            "network": {**network, "embedding": 8},
            "data": {"tokens": unit},
            "hyperparameters": {"epochs": 12, "batch_size": 16, "optimizer": {"lr": 0.02}, **rules},
        }
    )


@pytest.fixture(scope="module", params=["gru", "cnn"])
def trained(dataset: Dataset, request: pytest.FixtureRequest) -> Finished:
    """A model of words."""
    *_, end = fit(spec_of("word", request.param), dataset, threads=1)
    assert isinstance(end, Finished)
    return end


def network_of(end: Finished) -> Network:
    network = build(end.plan)
    network.load_state_dict(end.best.weights)
    return network.eval()


def logits_alone(end: Finished, texts: list[str]) -> Tensor:
    """One text at a time, through torch, without any padding but what a convolution needs at least."""
    network, tokens = network_of(end), end.preprocessing.tokens
    assert tokens is not None
    with torch.no_grad():
        return torch.cat(
            [
                network(
                    torch.from_numpy(one)[None], torch.tensor([len(one)]) if len(one) < end.plan.least_steps else None
                )
                for one in tokens.encode(texts)
            ]
        )


def test_the_file_gives_its_texts_back(dataset: Dataset) -> None:
    texts, targets = sentences(300, 0)
    assert list(dataset.train.inputs) == texts and dataset.train.targets.tolist() == targets
    assert dataset.sample == Sample("text", (), 2, (4, 50))


def test_training_reads_the_words(trained: Finished, dataset: Dataset) -> None:
    assert trained.test["accuracy"] == 1.0
    tokens = trained.preprocessing.tokens
    assert tokens is not None and "trött" in tokens.vocabulary
    assert trained.plan.layers[0].kind == "embedding" and trained.plan.layers[0].parameters == 8 * tokens.size
    assert trained.plan.parameters == sum(value.numel() for value in network_of(trained).parameters())
    right = logits_alone(trained, list(dataset.test.inputs)).argmax(1).numpy() == dataset.test.targets
    assert right.mean() == trained.test["accuracy"]


@pytest.mark.parametrize(("unit", "cell"), [("char", "elman"), ("byte", "lstm"), ("word", "gru"), ("char", "cnn")])
def test_training_resumes_to_the_bit(dataset: Dataset, unit: str, cell: str) -> None:
    spec = spec_of(unit, cell, epochs=2)

    def weights(events: list[Event]) -> dict[str, Tensor]:
        return [event for event in events if isinstance(event, Checkpointed)][-1].checkpoint.weights

    whole = list(fit(spec, dataset, threads=1))
    counter = iter(range(1, 1000))
    *_, found, _ = fit(spec, dataset, threads=1, pause=lambda: next(counter) == 9)
    assert isinstance(found, Checkpointed)
    for name, value in weights(list(fit(spec, dataset, threads=1, resume=found.checkpoint))).items():
        assert value.equal(weights(whole)[name]), name


def test_unknown_and_padding_begin_as_nothing() -> None:
    network = build(make(spec_of("char"), SAMPLE))
    assert not network[0].get_parameter("weight")[:2].any()
    assert network[0].get_parameter("weight")[2:].all()


def loaded(end: Finished, threads: Threads, seen: list[int]) -> Loaded:
    """The version as a prediction server holds it."""
    graph = export(end.plan, end.best.weights)
    assert verify(graph, network_of(end), end.plan) is None
    stored = Preprocessing.from_dict(json.loads(json.dumps(end.preprocessing.as_dict())))
    return Loaded(Version("words", "m", 1, "0" * 64, stored, ["+", "-"]), graph, threads, Reading(), seen.append)


def test_predictions_are_those_of_the_trained_network_whoever_shares_the_batch(
    trained: Finished, dataset: Dataset
) -> None:
    texts = [*dataset.test.inputs, "", "okänt ord", "bra " * 2000]
    wanted = logits_alone(trained, texts).numpy()
    batches: list[int] = []

    async def ask(server: Loaded) -> list[Any]:
        whole = bodies.read("application/json", json.dumps({"inputs": texts}).encode(), server.version.preprocessing)
        single = [bodies.read("text/plain", text.encode(), server.version.preprocessing) for text in texts]
        found = await asyncio.gather(server.batcher.run(whole), *(server.batcher.run(one) for one in single))
        return [logits for logits, _ in found]

    # in a thread of its own, since the browser tests leave a running event loop in the main one
    with closing(Threads()) as threads, ThreadPoolExecutor(1) as elsewhere:
        server = loaded(trained, threads, batches)
        together, *alone = elsewhere.submit(asyncio.run, ask(server)).result()
        again, *_ = elsewhere.submit(asyncio.run, ask(server)).result()
    for found in (together, np.concatenate(alone), again):
        assert np.abs(found - wanted).max() < 1e-5
    assert sum(batches) == 4 * len(texts) and max(batches) > 1


@pytest.mark.parametrize(
    ("kind", "body", "error", "says"),
    [
        ("application/json", b'{"inputs": ["a", [1]]}', Invalid, "Expected `str`"),
        ("application/json", b'{"inputs": [[1]]}', Invalid, "Expected `str`"),
        ("text/plain", b"\xff", Invalid, "not UTF-8"),
        ("image/png", b"", UnsupportedMedia, "reads texts"),
    ],
)
def test_bodies_that_are_no_texts_are_refused(kind: str, body: bytes, error: type[Exception], says: str) -> None:
    tokens = Tokens.fit(["a"], "char", size=100, max_length=20, lowercase=False, nfc=True)
    with pytest.raises(error, match=says):
        bodies.read(kind, body, Preprocessing.of_texts(tokens))


def test_rows_of_different_lengths_are_read_where_the_model_does() -> None:
    varied = Preprocessing.fit(np.zeros((2, 5, 2), np.float32), None, "none", np.array([3, 5]))
    body = json.dumps({"inputs": [[[1, 2]], [[1, 2], [3, 4]]]}).encode()
    found = bodies.read("application/json", body, varied)
    feed = varied.feed(found)
    assert feed["lengths"].tolist() == [1, 2]
    assert feed["input"].tolist() == [[[1, 2], [0, 0]], [[1, 2], [3, 4]]]
    narrow = Preprocessing.fit(np.zeros((2, 5, 1), np.float32), None, "none", np.array([3, 5]))
    assert narrow.feed(bodies.read("application/json", b'{"inputs": [[1, 2], [3]]}', narrow))["lengths"].tolist() == [
        2,
        1,
    ]


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ([], "1 to 20 steps"),
        ([[1, 2]] * 21, "has 21"),
        ([[1, 2], [3]], "not all of the same length"),
        ([[1, 2, 3]], "is 1x3"),
        ([1, 2], "is 2"),
        ("ab", "list of steps"),
    ],
)
def test_series_that_do_not_fit_are_refused_at_their_place(row: Any, says: str) -> None:
    varied = Preprocessing.fit(np.zeros((2, 5, 2), np.float32), None, "none", np.array([3, 5]))
    with pytest.raises(Invalid, match=says) as caught:
        bodies.read("application/json", json.dumps({"inputs": [[[1, 2]], row]}).encode(), varied)
    assert caught.value.errors[0][0] == "#/inputs/1"


@pytest.mark.parametrize("kind", ["image", "series"])
def test_a_text_for_a_model_that_reads_none_is_refused(kind: str) -> None:
    shape = (2, 4, 4, 1) if kind == "image" else (2, 4, 4)
    fitted = Preprocessing.fit(np.zeros(shape, np.uint8 if kind == "image" else np.float32), None, "none")
    with pytest.raises(UnsupportedMedia, match="reads"):
        bodies.read("text/plain", b"hello", fitted)
    with pytest.raises(Invalid) as caught:
        bodies.read("application/json", b'{"inputs": ["hello"]}', fitted)
    assert caught.value.errors[0][0] == "#/inputs/0"


def test_a_file_with_broken_utf_8_is_refused_by_name(tmp_path: Path) -> None:
    part = {"text": np.array([0xFF], np.uint8), "offsets": np.array([0, 1]), "targets": np.array([0])}
    tensors = {f"{name}.{key}": value for name in ("train", "test") for key, value in part.items()}
    save_file(tensors, tmp_path / "broken.safetensors", metadata={"manifest": "{}"})
    with pytest.raises(ValueError, match=r"broken\.safetensors is not a data set file"):
        load(tmp_path / "broken.safetensors")

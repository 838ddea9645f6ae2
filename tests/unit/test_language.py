"""Language models: what they are trained on, what is said of them, and that a resumed training is the same."""

import math
import random
from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch
from prose import prose

from core.plan import Plan, PlanError, Sample, make
from core.plan_length import length, samples
from core.specs import TrainSpec
from models.checkpoint import Checkpoint
from models.data.corpus import Corpus
from models.data.splits import Dataset, Split, preprocessing, split
from models.evaluate import read_through
from models.events import Checkpointed, Finished, Metrics
from models.networks import build
from models.training import fit

CPU = torch.device("cpu")
MANIFEST = {"kind": "corpus", "task": "language", "shape": [], "dtype": "utf8", "classes": [], "source": ""}


def text_split(text: str) -> Split:
    return Split(np.array([text], object), np.empty(0, np.int64))


TRAIN, TEST = prose(150), prose(40, seed=1)
DATA = Dataset(text_split(TRAIN), text_split(TEST), MANIFEST)


def spec(cell: str = "gru", data: dict[str, Any] | None = None, network: Any = (), **rules: Any) -> TrainSpec:
    body = {"family": "rnn", "cell": cell, "hidden": 32, "embedding": 12, **dict(network)}
    rules = {"batch_size": 16, "epochs": 6, "optimizer": {"lr": 0.01}, "clip_norm": 1.0, **rules}
    return TrainSpec.model_validate({"network": body, "data": {"window": 24, **(data or {})}, "hyperparameters": rules})


def trained(wanted: TrainSpec, **options: Any) -> list[Any]:
    return list(fit(wanted, DATA, threads=1, **options))


def unigram_bits() -> float:
    """Bits a character of TEST by the frequencies of TRAIN."""
    counts = Counter(TRAIN)
    return -sum(math.log2(counts[one] / len(TRAIN)) for one in TEST) / len(TEST)


@pytest.mark.parametrize("cell", ["elman", "gru", "lstm"])
def test_a_language_model_beats_the_frequencies_of_the_characters(cell: str) -> None:
    *events, end = trained(spec(cell))
    assert isinstance(end, Finished)
    test = end.test
    assert test["bits_per_character"] is not None and test["loss"] is not None
    assert test["bits_per_character"] < 0.7 * unigram_bits()
    assert test["perplexity"] == pytest.approx(math.exp(test["loss"]))
    assert test["unknown"] == 0 and end.confusion_matrix is None and end.per_class == []
    assert test["bits_per_character"] == pytest.approx(test["loss"] / math.log(2), rel=0.01)  # a token is a character
    names = {name for event in events if isinstance(event, Metrics) for name in event.values}
    scores = {"loss", "accuracy", "perplexity", "bits_per_character"}
    assert names == {f"validation_{one}" for one in scores} | {"train_loss", "train_accuracy", "learning_rate"}


def test_characters_bytes_and_words_are_measured_alike() -> None:
    found = {}
    for unit in ("char", "byte", "word"):
        *_, end = trained(spec(data={"tokens": unit, "window": 12 if unit == "word" else 24}, precision="bf16"))
        found[unit] = end.test["bits_per_character"]
    assert max(found.values()) < 0.8 * unigram_bits()
    # a word that is not known costs what its bytes cost
    *_, few = trained(spec(data={"tokens": "word", "vocabulary": 4, "window": 12}))
    assert few.test["unknown"] > 0.5 and few.test["bits_per_character"] > unigram_bits()


@pytest.mark.parametrize("cell", ["elman", "gru", "lstm"])
def test_a_split_is_read_in_one_go_whatever_is_read_at_once(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plan, network = built(cell)
    tokens = torch.randint(0, plan.outputs, (50,), dtype=torch.int32)
    with torch.no_grad():
        logits = network.eval()(tokens[None, :-1])[0]
    wanted = torch.nn.functional.cross_entropy(logits, tokens[1:].long(), reduction="sum").item()
    for at_once in (1, 7, 100):
        monkeypatch.setattr("models.evaluate.READ_AT_ONCE", at_once)
        loss, right = read_through(network, tokens)
        assert loss == pytest.approx(wanted, rel=1e-5)
        assert right == int((logits.argmax(1) == tokens[1:]).sum())


def built(cell: str, **network: Any) -> tuple[Plan, Any]:
    torch.manual_seed(0)
    plan = make(spec(cell, network=network), Sample("corpus", (), 0, task="language", characters=900, distinct=20))
    return plan, build(plan)


def test_an_epoch_goes_through_the_text_once_from_another_place_each_time() -> None:
    wanted = spec(data={"window": 10})
    read = preprocessing(split(DATA, wanted).train, wanted, DATA)
    corpus = Corpus(split(DATA, wanted).train, read, CPU)
    count, first = len(corpus.tokens), {}
    for epoch in range(30):
        places = corpus.order(3, epoch).tolist()
        assert sorted(places) == list(range(min(places), min(places) + 10 * len(corpus), 10))
        assert 0 <= min(places) < 10 and max(places) + 10 < count
        first[epoch] = min(places)
    assert len(set(first.values())) > 5 and places != sorted(places)
    inputs, _ = corpus.batch(torch.tensor([5, 40]))
    assert torch.equal(corpus.wanted(torch.tensor([5, 40]))[:, :-1], inputs[:, 1:])
    assert torch.equal(inputs[1], corpus.tokens[40:50])


@pytest.mark.parametrize(
    ("cell", "options"),
    [
        ("elman", {"network": {"layers": 2, "dropout": 0.3}}),
        ("gru", {"precision": "bf16", "accumulate": 2, "schedule": {"name": "one_cycle"}}),
        ("lstm", {"data": {"tokens": "word", "window": 6}, "label_smoothing": 0.1, "log_every": 3}),
        ("gru", {"optimizer": {"name": "gd", "lr": 0.5}, "batch_size": None}),
    ],
)
def test_a_resumed_training_is_the_undisturbed_one(cell: str, options: dict[str, Any]) -> None:
    wanted = spec(cell, **{"epochs": 3, **options})
    whole = trained(wanted)
    steps = whole[-1].step
    place = random.randrange(1, steps)
    counter = iter(range(1, steps + 1))
    paused = trained(wanted, pause=lambda: next(counter) == place)
    (saved,) = [event.checkpoint for event in paused if isinstance(event, Checkpointed)]
    assert isinstance(saved, Checkpoint)
    rest = trained(wanted, resume=saved)
    later = [event for event in whole if isinstance(event, Metrics) and event.step > place]
    assert [event for event in rest if isinstance(event, Metrics)] == later
    assert rest[-1].test == whole[-1].test
    for name, value in whole[-1].best.weights.items():
        assert torch.equal(value, rest[-1].best.weights[name]), name


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"network": {"family": "cnn"}}, "#/network/family"),
        ({"network": {"family": "rnn", "bidirectional": True}}, "#/network/bidirectional"),
        ({"network": {"family": "rnn", "readout": "mean"}}, "#/network/readout"),
        ({"data": {"max_length": 5}}, "#/data/max_length"),
        ({"data": {"resize": [8, 8]}}, "#/data/resize"),
        ({"data": {"augment": {"noise": 0.1}}}, "#/data/augment"),
        ({"data": {"horizon": 2}}, "#/data/horizon"),
        ({"data": {"window": 600}}, "#/data/window"),
        ({"data": {"mels": 20}}, "#/data/mels"),
        ({"hyperparameters": {"class_weights": "balanced"}}, "#/hyperparameters/class_weights"),
        ({"hyperparameters": {"monitor": "validation_mae"}}, "#/hyperparameters/monitor"),
    ],
)
def test_what_means_nothing_to_a_language_model_is_refused_with_its_place(body: dict[str, Any], pointer: str) -> None:
    sample = Sample("corpus", (), 0, task="language", characters=1000, distinct=40)
    with pytest.raises(PlanError) as refused:
        make(TrainSpec.model_validate({"network": {"family": "rnn"}, **body}), sample)
    assert refused.value.pointer == pointer


def test_a_text_with_less_than_two_windows_is_refused() -> None:
    with pytest.raises(ValueError, match=r"has [\d,]+ tokens; a window of 3,000 needs 6,000"):
        trained(spec(data={"tokens": "word", "window": 3000}))


def test_the_plan_has_the_head_at_every_step() -> None:
    plan, network = built("gru", dense=[7], layers=2)
    assert [layer.kind for layer in plan.layers] == ["embedding", "gru", "dense", "activation", "dense"]
    assert (plan.layers[-1].output, plan.outputs, plan.vocabulary) == ((24, 22), 22, 22)
    assert plan.parameters == sum(one.numel() for one in network.parameters())
    assert plan.layers[-1].flops == 2 * 24 * 7 * 22
    assert network(torch.zeros(3, 24, dtype=torch.int32)).shape == (3, 24, 22)


def test_the_length_of_a_training_is_known_before_it() -> None:
    wanted = spec()
    said = length(wanted, samples(wanted, "language", {"train": len(TRAIN), "test": len(TEST)}))
    started = trained(wanted)[0]
    assert (said.steps_per_epoch, said.steps) == (started.steps_per_epoch, started.total_steps)

"""Starting from the weights of texts: their tokens are taken over, and what they know helps."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from prose import prose

from core.encode.text import Tokens
from core.plan import PlanError
from core.plan_start import check_tokens
from core.specs import Data, TrainSpec
from models.data.splits import Dataset, Split
from models.events import Checkpointed, Event, Finished, Metrics
from models.training import Start, fit
from models.training.run import Run

CPU = torch.device("cpu")
RULES = {"batch_size": 16, "epochs": 4, "optimizer": {"lr": 0.01}, "log_every": 3}


def split_of(texts: list[str], targets: list[int]) -> Split:
    return Split(np.array(texts, object), np.array(targets, np.int64))


def corpus(*splits: str) -> Dataset:
    manifest = {"kind": "corpus", "task": "language", "shape": [], "dtype": "utf8", "classes": [], "source": ""}
    train, test = (split_of([text], []) for text in splits)
    return Dataset(train, test, manifest)


def labelled(words: list[str], classes: list[str], count: int = 120) -> Dataset:
    """Texts of three words, of which the first says the class."""
    generator, splits = np.random.default_rng(len(words)), []
    for size in (count, 40):
        targets = generator.integers(0, len(classes), size).tolist()
        texts = [f"{words[one]} {generator.choice(['so', 'ja'])} {generator.choice(['né', 'x'])}" for one in targets]
        splits.append(split_of(texts, targets))
    manifest = {"kind": "text", "shape": [], "dtype": "utf8", "classes": classes, "lengths": [5, 20], "source": ""}
    return Dataset(splits[0], splits[1], manifest)


def spec_of(network: dict[str, Any], data: dict[str, Any], seed: int = 1) -> TrainSpec:
    body = {"network": {"embedding": 12, **network}, "data": data, "hyperparameters": RULES, "seed": seed}
    return TrainSpec.model_validate(body)


def end_of(events: list[Event]) -> Finished:
    end = events[-1]
    assert isinstance(end, Finished)
    return end


def started_from(end: Finished, keep_head: bool = True) -> Start:
    return Start(end.best.weights, keep_head, end.preprocessing.tokens)


def first(events: list[Event], name: str) -> float:
    return next(one.values[name] for one in events if isinstance(one, Metrics) and name in one.values)


LANGUAGE = spec_of({"family": "rnn", "cell": "gru", "hidden": 24}, {"window": 24})
WORDS = spec_of({"family": "rnn", "cell": "lstm", "hidden": 12, "readout": "max"}, {"tokens": "word"})
BEFORE = corpus(prose(150), prose(30, seed=1))
OWN = corpus(prose(80, seed=2).upper()[:400] + prose(80, seed=2), prose(30, seed=3))


def test_a_language_model_goes_on_learning_from_another_text() -> None:
    before = end_of(list(fit(LANGUAGE, BEFORE, threads=1)))
    scratch, tuned = (list(fit(LANGUAGE, OWN, threads=1, start=start)) for start in (None, started_from(before)))
    assert first(tuned, "validation_loss") < 0.8 * first(scratch, "validation_loss")
    end = end_of(tuned)
    assert end.preprocessing.tokens == before.preprocessing.tokens != end_of(scratch).preprocessing.tokens
    assert end.test["unknown"] == 0.0  # the test has no capitals, which the first text lacked


def test_other_classes_have_a_head_of_their_own_behind_the_same_tokens() -> None:
    before = end_of(list(fit(WORDS, labelled(["bra", "dum"], ["+", "-"]), threads=1)))
    other = labelled(["bra", "dum", "ny"], ["a", "b", "c"])
    run = Run(WORDS, other, 1, CPU, started_from(before, keep_head=False))
    assert run.preprocessing.tokens == before.preprocessing.tokens
    own, head = run.network.state_dict(), f"{len(run.network) - 1}."
    assert own[f"{head}weight"].shape[0] == 3
    assert all(torch.equal(own[name], before.best.weights[name]) for name in own if not name.startswith(head))
    tuned = end_of(list(fit(WORDS, other, threads=1, start=started_from(before, keep_head=False))))
    assert tuned.preprocessing.tokens == before.preprocessing.tokens
    shorter = WORDS.model_copy(update={"data": WORDS.data.model_copy(update={"max_length": 2})})
    cut = Run(shorter, other, 1, CPU, started_from(before, keep_head=False)).preprocessing.tokens
    assert before.preprocessing.tokens is not None
    assert cut == replace(before.preprocessing.tokens, max_length=2)


@pytest.mark.parametrize(("spec", "dataset"), [(LANGUAGE, BEFORE), (WORDS, labelled(["bra", "dum"], ["+", "-"]))])
def test_interrupted_it_is_the_undisturbed_one_in_every_bit(spec: TrainSpec, dataset: Dataset) -> None:
    start = started_from(end_of(list(fit(spec, dataset, threads=1))))
    whole = list(fit(spec, dataset, threads=1, start=start))
    for step in (1, 5):
        counter = iter(range(1, step + 1))
        paused = list(fit(spec, dataset, threads=1, start=start, pause=lambda n=counter, k=step: next(n) == k))  # type: ignore[misc]
        (kept,) = [one for one in paused if isinstance(one, Checkpointed)]
        resumed = list(fit(spec, dataset, threads=1, start=start, resume=kept.checkpoint))
        mine, theirs = (
            [one for one in events if isinstance(one, Checkpointed)][-1].checkpoint for events in (resumed, whole)
        )
        assert all(torch.equal(mine.weights[name], theirs.weights[name]) for name in theirs.weights)
        assert end_of(resumed).test == end_of(whole).test
    with pytest.raises(ValueError, match="another training"):
        list(fit(spec, dataset, threads=1, resume=kept.checkpoint))


def test_texts_that_are_cut_otherwise_are_refused() -> None:
    tokens = Tokens("word", False, True, None, ("a",), spaced=True)
    with pytest.raises(ValueError, match="cut otherwise"):
        Run(LANGUAGE, BEFORE, 1, CPU, Start({}, True, tokens))


@pytest.mark.parametrize(
    ("data", "kind", "start", "pointer", "words"),
    [
        ({}, "text", {"tokens": "word"}, "#/data/tokens", 'give its tokens, "word"'),
        ({"tokens": "word"}, "text", {}, "#/data/tokens", '"char"'),
        ({"lowercase": True}, "text", {}, "#/data/lowercase", "false"),
        ({"nfc": False}, "text", {}, "#/data/nfc", "true"),
        ({"vocabulary": 9}, "text", {}, "#/data/vocabulary", "null"),
        ({"vocabulary": 9}, "text", {"vocabulary": 8}, "#/data/vocabulary", "8"),
        ({}, "corpus", {}, "#/dataset", "these samples are corpus, and m:1 was trained on text"),
    ],
)
def test_what_does_not_fit_the_tokens_is_refused_at_its_field(
    data: dict[str, Any], kind: str, start: dict[str, Any], pointer: str, words: str
) -> None:
    with pytest.raises(PlanError, match=words) as refused:
        check_tokens(Data(**data), kind, Data(**start), "text", "m:1")
    assert refused.value.pointer == pointer


def test_the_vocabulary_need_not_be_said_again() -> None:
    check_tokens(Data(), "text", Data(vocabulary=8), "text", "m:1")
    check_tokens(Data(vocabulary=8, max_length=3), "text", Data(vocabulary=8), "text", "m:1")

"""What a language model is planned from: the options that mean something to it, its vocabulary, and its windows."""

from dataclasses import replace

from core.encode.text import FIRST
from core.plan_layers import PlanError, Sample
from core.specs import Data, TrainSpec

WINDOW = 256
"""Tokens of a window unless another number is asked for, where the text is long enough."""
_CHARACTERS_OF_A_WORD = 5
"""About, with the space before it: how many words a text has is not known before it is read."""


def resolved(spec: TrainSpec, sample: Sample) -> Sample:
    """A corpus with the vocabulary that it will have at most; other samples as they are.

    Raises:
        PlanError: an option that has no meaning here, or a window that is longer than the text.
    """
    data = spec.data
    if sample.task != "language":
        return sample
    _check(spec)
    assert sample.characters is not None, "a corpus says how long it is"
    if data.tokens == "char" and 2 * window(data, sample.characters) > sample.characters:
        raise PlanError(
            "#/data/window", f"the text to train on has {sample.characters:,} characters; use a smaller window"
        )
    if sample.vocabulary is not None:
        return sample
    most = data.vocabulary_size
    if data.tokens == "char" and sample.distinct is not None:
        most = min(most, FIRST + sample.distinct)
    return replace(sample, vocabulary=most)


def _check(spec: TrainSpec) -> None:
    network, data = spec.network, spec.data
    if network.family != "rnn":
        raise PlanError("#/network/family", f"a {network.family} cannot go on with a text; use rnn")
    if network.bidirectional:
        raise PlanError("#/network/bidirectional", "what comes next cannot be read already; leave bidirectional out")
    if network.readout != "last":
        raise PlanError("#/network/readout", "a language model answers at every step; leave readout out")
    for option, name in (("resize", "images"), ("augment", "images, series and recordings")):
        if getattr(data, option) is not None:
            raise PlanError(f"#/data/{option}", f"{option} is for {name}; leave it out")


def window(data: Data, characters: int) -> int:
    """Tokens of one sample, of a text with so many characters to train on; a short one is still many windows."""
    return data.window or max(1, min(WINDOW, characters // (8 * _CHARACTERS_OF_A_WORD)))


def windows(data: Data, characters: int, kept: int) -> int:
    """Samples of an epoch, about: ``kept`` of the characters to train on are not validation."""
    tokens = kept // _CHARACTERS_OF_A_WORD if data.tokens == "word" else kept
    return max(1, tokens // window(data, characters) - 1)

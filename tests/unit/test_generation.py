"""Writing: the draw of a token, what is shown of it, and a real graph that goes on with a prompt."""

from collections import Counter
from itertools import pairwise
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from api.serving.generation import Prompt, Text, Written, write
from core.encode.text import FIRST, Tokens
from core.plan import Sample, make
from core.sampling import Sampler, Sampling
from core.specs import TrainSpec
from models.export import export, verify
from models.networks import Network, build

LOGITS = np.log(np.array([0.5, 0.1, 0.1, 0.3], np.float32))


def drawn(count: int, banned: int = 0, **sampling: Any) -> list[int]:
    sampler = Sampler(Sampling(**{"temperature": 1.0, "top_k": None, "seed": 0, **sampling}), banned)
    return [sampler.draw(LOGITS) for _ in range(count)]


def test_tokens_come_as_often_as_their_probabilities_say() -> None:
    counts = Counter(drawn(4000))
    for token, share in enumerate((0.5, 0.1, 0.1, 0.3)):
        assert counts[token] / 4000 == pytest.approx(share, abs=0.03)
    bold, shy = Counter(drawn(2000, temperature=5)), Counter(drawn(2000, temperature=0.3))
    assert bold[1] > 2 * counts[1] * 2000 / 4000 * 0.75 and shy[1] < 50


def test_greedy_top_k_and_banned_tokens() -> None:
    assert set(drawn(50, temperature=0)) == {0}
    assert set(drawn(50, temperature=0, banned=1)) == {3}
    assert set(drawn(200, top_k=1)) == {0} and set(drawn(200, top_k=2)) == {0, 3}
    assert set(drawn(300, top_k=3)) == {0, 1, 3}  # equal ones in the order of their ids
    assert set(drawn(300, banned=1)) == {1, 2, 3}
    assert drawn(1, temperature=1e-300) == [0]


def test_the_seed_decides_and_the_numbers_are_the_same_for_ever() -> None:
    assert drawn(20, seed=5) == drawn(20, seed=5) != drawn(20, seed=6)
    assert drawn(12, seed=7) == EXPECTED


EXPECTED = [3, 1, 3, 0, 0, 1, 0, 1, 3, 0, 0, 0]


@given(st.text(max_size=20), st.text(min_size=1, max_size=3), st.integers(1, 4))
def test_what_is_shown_ends_before_the_stop_however_the_bytes_come(whole: str, stop: str, size: int) -> None:
    data, text, shown = whole.encode(errors="replace"), Text(stop), ""
    whole = data.decode()
    for first in range(0, len(data), size):
        shown += text.add(data[first : first + size])
        assert stop not in shown
        if text.stopped:
            break
    shown += text.rest()
    assert shown == whole.partition(stop)[0] and text.stopped == (stop in whole)


def test_a_character_is_shown_when_it_is_whole_and_half_of_one_as_a_replacement() -> None:
    text = Text(None)
    assert [text.add(bytes([byte])) for byte in "ä".encode()] == ["", "ä"]
    assert (text.add(b"\xc3"), text.rest()) == ("", "\N{REPLACEMENT CHARACTER}")


TOKENS = Tokens.fit(["to be or not to be, that is\n"], "char", size=50, max_length=None, lowercase=False, nfc=True)


def model(cell: str) -> tuple[Network, Any]:
    """A random network over the characters above, and its graph."""
    body = {"family": "rnn", "cell": cell, "hidden": 12, "layers": 2, "dense": [8]}
    sample = Sample("corpus", (), 0, task="language", characters=1000, vocabulary=TOKENS.size)
    plan = make(TrainSpec.model_validate({"network": body}), sample)
    torch.manual_seed(1)
    network = build(plan).eval()
    content = export(plan, network.state_dict())
    assert verify(content, network, plan) is None
    wrong = {name: value.clone() for name, value in network.state_dict().items()}
    wrong["1.weight_hh_l1"][0, 0] += 0.05
    assert "differ by" in (verify(export(plan, wrong), network, plan) or "")
    return network, onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])


def prompt(text: str, count: int = 30, stop: str | None = None, **sampling: Any) -> Prompt:
    return Prompt(text, count, Sampling(**{"temperature": 0.0, "top_k": None, "seed": 0, **sampling}), stop)


def never() -> bool:
    return False


@pytest.mark.parametrize("cell", ["elman", "gru", "lstm"])
def test_greedy_text_is_what_torch_would_write_by_reading_all_again(cell: str) -> None:
    network, session = model(cell)
    *pieces, end = write(session, TOKENS, prompt("to be"), never)
    assert end == Written(5, 30, "length") and len(pieces) == 30
    ids = list(TOKENS.encode(["to be"])[0])
    with torch.no_grad():
        for _ in range(30):
            logits = network(torch.tensor(ids)[None])[0, -1]
            logits[:FIRST] = -torch.inf  # padding and unknown are no text
            ids.append(int(logits.argmax()))
    assert "".join(map(str, pieces)) == b"".join(TOKENS.piece(one) for one in ids[5:]).decode()


def test_a_long_prompt_an_empty_one_and_an_unknown_character() -> None:
    _, session = model("gru")
    text = "to be or not to be, that is " * 30
    *_, end = write(session, TOKENS, prompt(text, 3), never)
    assert end == Written(len(text), 3, "length")
    *empty, end = write(session, TOKENS, prompt("", 9), never)
    assert end == Written(0, 9, "length")
    assert empty == list(write(session, TOKENS, prompt("\n", 9), never))[:-1]
    *_, end = write(session, TOKENS, prompt("Ω", 2), never)
    assert end == Written(1, 2, "length")


def test_the_seed_decides_the_text_and_the_stop_ends_it() -> None:
    _, session = model("lstm")
    first, again, other = (
        "".join(map(str, list(write(session, TOKENS, prompt("to", 60, temperature=1.5, seed=seed), never))[:-1]))
        for seed in (3, 3, 4)
    )
    assert first == again != other
    stop = first[20:23]
    *pieces, end = write(session, TOKENS, prompt("to", 60, stop, temperature=1.5, seed=3), never)
    assert isinstance(end, Written) and end.finish_reason == "stop"
    assert "".join(map(str, pieces)) == first.partition(stop)[0]


def test_nothing_is_written_for_nobody() -> None:
    _, session = model("elman")
    asked = iter([False] * 4 + [True] * 100)
    found = list(write(session, TOKENS, prompt("to", 50), lambda: next(asked)))
    assert 1 <= len(found) <= 4 and not any(isinstance(one, Written) for one in found)
    assert list(write(session, TOKENS, prompt("to", 50), lambda: True)) == []
    assert all(isinstance(a, str) and isinstance(b, str) for a, b in pairwise(found))

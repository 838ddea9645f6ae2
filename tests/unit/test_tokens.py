"""The vocabulary of texts: what becomes a token, and which tokens are told apart."""

import json
import subprocess
import sys
import unicodedata
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from core.encode import Preprocessing
from core.encode.text import UNKNOWN, Tokens


def tokens_of(texts: list[str], unit: str = "char", **options: Any) -> Tokens:
    given = {"size": 100, "max_length": 20, "lowercase": False, "nfc": True, **options}
    return Tokens.fit(texts, unit, **given)


def ids(tokens: Tokens, text: str) -> list[int]:
    (found,) = tokens.encode([text])
    assert found.dtype == np.int32
    return list(found)


def test_the_vocabulary_is_by_frequency_and_ties_are_by_code_point() -> None:
    tokens = tokens_of(["cabb", "bé\U0001f600ca", "zz"], size=7)
    assert tokens.vocabulary == ("b", "a", "c", "z", "é") and tokens.size == 7
    assert ids(tokens, "abcé\U0001f600?") == [3, 2, 4, 6, UNKNOWN, UNKNOWN]
    assert tokens_of(["zz", "cabb", "bé\U0001f600ca"], size=7) == tokens


def test_spaced_words_put_together_are_the_text_again() -> None:
    text = "To be, or not\n\n  to be\t- that's it."
    tokens = tokens_of([text], "word", max_length=None, spaced=True)
    assert {" be", ",", " or", "\n", "'", " ", "\t"} <= set(tokens.vocabulary)
    assert b"".join(tokens.piece(one) for one in ids(tokens, text)).decode() == text
    assert tokens.unknown_bytes("To bé or") == len(" bé".encode()) and tokens.piece(UNKNOWN) == b""


@given(st.text(), st.sampled_from(["char", "word", "byte"]))
def test_what_is_known_is_never_lost(text: str, unit: str) -> None:
    tokens = tokens_of([text], unit, size=10_000, max_length=None, spaced=True, nfc=False)
    whole = text.encode(errors="replace")
    if unit != "byte" and whole != text.encode(errors="surrogatepass"):
        return  # a lone surrogate has no bytes
    found = b"".join(tokens.piece(one) for one in ids(tokens, text))
    assert found == whole


def test_words_are_runs_of_letters_and_single_signs() -> None:
    tokens = tokens_of(["Don't go,  naïve 42nd!"], "word")
    assert sorted(tokens.vocabulary) == sorted(["Don", "'", "t", "go", ",", "naïve", "42nd", "!"])
    assert ids(tokens, "go\n go") == [tokens.vocabulary.index("go") + 2] * 2


def test_bytes_are_those_of_utf_8_and_need_no_vocabulary() -> None:
    tokens = tokens_of(["whatever"], "byte", max_length=5)
    assert tokens.size == 258
    assert bytes(one - 2 for one in ids(tokens, "aé€x")) == "aé€x".encode()[:5]


@given(st.text(max_size=30), st.sampled_from(["char", "word", "byte"]), st.integers(1, 40))
def test_every_text_has_1_to_max_length_ids_of_the_vocabulary(text: str, unit: str, most: int) -> None:
    tokens = tokens_of(["some of it: é"], unit, max_length=most)
    found = ids(tokens, text)
    assert 1 <= len(found) <= most
    assert all(0 < one < tokens.size for one in found)


def test_what_is_cut_off_is_not_counted() -> None:
    assert tokens_of(["abxxxx"], max_length=2).vocabulary == ("a", "b")


def test_case_and_accents_are_written_one_way_if_asked() -> None:
    composed, apart = "Émile", unicodedata.normalize("NFD", "Émile")
    assert ids(tokens_of([composed]), composed) == ids(tokens_of([composed]), apart)
    assert ids(tokens_of([composed], nfc=False), composed) != ids(tokens_of([composed], nfc=False), apart)
    lower = tokens_of([composed], lowercase=True)
    assert ids(lower, "ÉMILE") == ids(lower, "émile") and UNKNOWN not in ids(lower, "ÉMILE")
    assert UNKNOWN in ids(tokens_of([composed]), "ÉMILE")


def test_the_vocabulary_travels_as_json() -> None:
    made = Preprocessing.of_texts(tokens_of(['a\n"b"', "ü\u2028"], lowercase=True))
    assert Preprocessing.from_dict(json.loads(json.dumps(made.as_dict()))) == made


def test_tokens_need_no_torch() -> None:
    code = "import sys, core.encode.text; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"

"""Texts -> token ids, by a vocabulary that training makes and every version carries; no torch."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from core.encode import ragged

PADDING, UNKNOWN = 0, 1
"""The ids of what is behind a text's end, and of every token that the vocabulary does not have."""
FIRST = 2
"""The id of the vocabulary's first token."""
WORD = re.compile(r"\w+|[^\w\s]")
_SPACED_WORD = re.compile(r" ?\w+| ?[^\w\s]|\s")


@dataclass(frozen=True)
class Tokens:
    """How a text becomes ids. ``vocabulary`` holds the tokens in the order of their ids; for bytes it is empty.

    ``unit`` is char, word (runs of letters and digits, and single other signs; spaces separate) or byte (of the UTF-8).
    A text is brought into lower case and NFC first, where that is asked for; its first ``max_length`` tokens count
    (null: all).

    ``spaced``: a word has the space before it, and all other white space is tokens too, so that tokens put together are
    the text again: what writes texts needs that.
    """

    unit: str
    lowercase: bool
    nfc: bool
    max_length: int | None
    vocabulary: tuple[str, ...] = ()
    spaced: bool = False

    @classmethod
    def fit(
        cls,
        texts: Iterable[str],
        unit: str,
        *,
        size: int,
        max_length: int | None,
        lowercase: bool,
        nfc: bool,
        spaced: bool = False,
    ) -> Self:
        """Choose the vocabulary: the most frequent tokens of the training split, ties by code point.

        ``size`` counts the ids of padding and unknown too.
        """
        tokens = cls(unit, lowercase, nfc, max_length, spaced=spaced)
        if unit == "byte":
            return tokens
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(tokens._split(text))
        ranked = sorted(counts, key=lambda token: (-counts[token], token))
        return replace(tokens, vocabulary=tuple(ranked[: size - FIRST]))

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        """What a version's preprocessing has of them, as JSON."""
        return cls(**{**fields, "vocabulary": tuple(fields["vocabulary"])})

    @property
    def size(self) -> int:
        """Ids in all."""
        return FIRST + (256 if self.unit == "byte" else len(self.vocabulary))

    def encode(self, texts: Sequence[str] | NDArray[Any]) -> NDArray[Any]:
        """Texts -> an object array of int32 ids [T_i], T_i from 1 to ``max_length``; no token at all is one unknown."""
        return ragged.collect([self._ids(text) for text in texts])

    def normal(self, text: str) -> str:
        """A text as it is read: in lower case and NFC, where that is asked for."""
        if self.lowercase:
            text = text.lower()
        return unicodedata.normalize("NFC", text) if self.nfc else text

    def piece(self, index: int) -> bytes:
        """What a token adds to a text, in UTF-8: a byte may be a part of a character. Padding and unknown: nothing."""
        if index < FIRST:
            return b""
        return bytes([index - FIRST]) if self.unit == "byte" else self.vocabulary[index - FIRST].encode()

    def unknown_bytes(self, text: str) -> int:
        """How long the tokens of a text are, in UTF-8, that the vocabulary does not have."""
        known = self._numbers
        return 0 if self.unit == "byte" else sum(len(one.encode()) for one in self._split(text) if one not in known)

    def _ids(self, text: str) -> NDArray[np.int32]:
        if self.unit == "byte":
            ids = np.frombuffer(
                "".join(self._split(text)).encode(errors="replace")[: self.max_length], np.uint8
            ).astype(np.int32)
            ids += FIRST
        else:
            find = self._numbers.get
            ids = np.fromiter((find(token, UNKNOWN) for token in self._split(text)), np.int32)
        return ids if len(ids) else np.array([UNKNOWN], np.int32)

    def _split(self, text: str) -> Iterator[str]:
        text = self.normal(text)
        word = _SPACED_WORD if self.spaced else WORD
        tokens: Iterable[str] = text if self.unit != "word" else (match[0] for match in word.finditer(text))
        return islice(tokens, self.max_length)  # for bytes: a character has at least one

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {token: index for index, token in enumerate(self.vocabulary, FIRST)}


def from_rows(rows: Any) -> NDArray[Any]:
    """A list of strings -> an object array of them. ValueError says what is wrong."""
    texts = np.empty(len(rows), object)
    for index, text in enumerate(rows):
        if not isinstance(text, str):
            raise ValueError("this model reads texts: each input must be a string")
        texts[index] = text
    return texts

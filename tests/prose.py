"""A text with some sense in it, for tests of models that write: short sentences of a small grammar."""

import numpy as np

_SUBJECTS = ("the king", "a fool", "my lord", "the old queen", "no man", "Kätchen")
_VERBS = ("loves", "fears", "sees", "forgets", "will follow")
_OBJECTS = ("the sea", "a ghost", "his own shadow", "the night", "the truth")


def prose(sentences: int, seed: int = 0) -> str:
    """So many sentences, a line each."""
    draws = np.random.default_rng(seed).integers(0, 30, (sentences, 3)).tolist()
    return "".join(
        f"{_SUBJECTS[a % len(_SUBJECTS)]} {_VERBS[b % len(_VERBS)]} {_OBJECTS[c % len(_OBJECTS)]}.\n"
        for a, b, c in draws
    )

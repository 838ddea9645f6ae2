"""The built-in data set of texts: names of countries, regions and languages in 17 languages; which one is it?

They are those of the Unicode CLDR, as Babel packages it. Another version of Babel would bring other names, so its exact
version is a dependency; what a database has been given stays in it.
"""

import json
from itertools import chain

import numpy as np
from babel import localedata
from numpy.typing import NDArray
from safetensors.numpy import save

from core.encode.splits import permutation, stratified

LANGUAGES = {
    "Czech": "cs",
    "Danish": "da",
    "Dutch": "nl",
    "English": "en",
    "Finnish": "fi",
    "French": "fr",
    "German": "de",
    "Hungarian": "hu",
    "Italian": "it",
    "Polish": "pl",
    "Portuguese": "pt",
    "Romanian": "ro",
    "Russian": "ru",
    "Spanish": "es",
    "Swedish": "sv",
    "Turkish": "tr",
    "Ukrainian": "uk",
}
"""The classes and their CLDR locales: 15 in Latin script, with relatives among them, and two in Cyrillic."""
SOURCE = "names of territories and languages in the Unicode CLDR, packaged by Babel"
_TEST_SHARE = 0.2
_SPLIT_SEED = 20
_SIGNS = frozenset(" -'’")


def build() -> bytes:
    """A data set file (safetensors), the same bytes every time; a fifth of each language's names are there to test."""
    texts, targets = _samples()
    test_count = round(len(texts) * _TEST_SHARE)
    lengths = [len(text) for text in texts]
    manifest = {
        "kind": "text",
        "shape": [],
        "dtype": "utf8",
        "classes": list(LANGUAGES),
        "lengths": [min(lengths), max(lengths)],
        "source": SOURCE,
    }
    tensors: dict[str, NDArray[np.generic]] = {}
    for split, chosen in zip(("train", "test"), stratified(targets, test_count, _SPLIT_SEED), strict=True):
        encoded = [texts[index].encode() for index in chosen]
        tensors[f"{split}.text"] = np.frombuffer(b"".join(encoded), np.uint8)
        tensors[f"{split}.offsets"] = np.cumsum([0, *map(len, encoded)], dtype=np.int64)
        tensors[f"{split}.targets"] = targets[chosen]
    return save(tensors, metadata={"manifest": json.dumps(manifest, sort_keys=True)})


def _samples() -> tuple[list[str], NDArray[np.int64]]:
    """Names and their classes, mixed. What two of the languages call the same has no one answer, and is left out."""
    named = [_names(locale) for locale in LANGUAGES.values()]
    used: dict[str, int] = {}
    for name in chain.from_iterable({name.casefold() for name in names} for names in named):
        used[name] = used.get(name, 0) + 1
    pairs = [(name, label) for label, names in enumerate(named) for name in sorted(names) if used[name.casefold()] == 1]
    mixed = [pairs[index] for index in permutation(len(pairs), _SPLIT_SEED)]
    return [name for name, _ in mixed], np.array([label for _, label in mixed], np.int64)


def _names(locale: str) -> set[str]:
    """Those that are written in letters alone: without numbers, and without remarks in brackets."""
    known = localedata.load(locale)
    names = chain(known["territories"].values(), known["languages"].values())
    return {name for name in names if len(name) > 2 and all(sign.isalpha() or sign in _SIGNS for sign in name)}

"""The built-in names of 17 languages are the CLDR's, each in one language only, and the same bytes everywhere."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from babel import Locale

from core.encode import languages
from models.data.splits import Dataset, load

CONTENT = "236634b1173c25628bf5f0e0745ae578a8157473fcd98c2a53e4e97e8bc7ba86"
"""Of what the pinned version of Babel gives. When that is changed, databases that have the set keep what they have."""


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    path = tmp_path_factory.mktemp("data") / "languages.safetensors"
    Path(path).write_bytes(languages.build())
    return load(path)


def test_the_bytes_are_known() -> None:
    assert hashlib.sha256(languages.build()).hexdigest() == CONTENT


def test_each_name_is_one_languages_own(names: Dataset) -> None:
    found: dict[str, set[int]] = {}
    for split in (names.train, names.test):
        for text, target in zip(split.inputs, split.targets.tolist(), strict=True):
            found.setdefault(text.casefold(), set()).add(target)
    assert all(len(targets) == 1 for targets in found.values())
    for label, (name, code) in enumerate(languages.LANGUAGES.items()):
        locale = Locale.parse(code)
        known = {*locale.territories.values(), *locale.languages.values()}
        mine = names.test.inputs[names.test.targets == label]
        assert len(mine) > 50 and known.issuperset(mine), name
    assert found["deutschland"] == {list(languages.LANGUAGES).index("German")}
    assert "portugal" not in found  # it is called so in many of them


def test_a_fifth_of_each_language_is_there_to_test(names: Dataset) -> None:
    counts = [np.bincount(split.targets, minlength=17) for split in (names.train, names.test)]
    assert np.abs(counts[1] / (counts[0] + counts[1]) - 0.2).max() < 0.01
    assert not set(names.train.inputs) & set(names.test.inputs)


def test_the_manifest_is_true(names: Dataset) -> None:
    lengths = [len(text) for split in (names.train, names.test) for text in split.inputs]
    assert names.manifest["lengths"] == [min(lengths), max(lengths)]
    assert names.sample.kind == "text" and names.sample.classes == 17
    assert names.manifest["classes"] == sorted(names.manifest["classes"])

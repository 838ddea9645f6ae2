"""The digits as an array in memory, for every test that trains."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from core.encode import digits as builder

if TYPE_CHECKING:
    from models.data.splits import Dataset


@pytest.fixture(scope="session")
def digits_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built-in data set as a file."""
    path = tmp_path_factory.mktemp("data") / "digits.safetensors"
    path.write_bytes(builder.build())
    return path


@pytest.fixture(scope="session")
def digits(digits_path: Path) -> "Dataset":
    """All 1,797 digits."""
    from models.data.splits import load

    return load(digits_path)


@pytest.fixture(scope="session")
def few_digits(digits: "Dataset") -> "Dataset":
    """The first 150 to train on and 40 to test, for tests that need steps and not accuracy."""
    from models.data.splits import Dataset, Split

    train, test = digits.train, digits.test
    return Dataset(
        Split(train.inputs[:150], train.targets[:150]), Split(test.inputs[:40], test.targets[:40]), digits.manifest
    )

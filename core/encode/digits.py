"""The built-in data set: 1,797 handwritten digits of 8x8 pixels.

From the UCI set "Optical Recognition of Handwritten Digits" (Alpaydin and Kaynak), as scikit-learn packages it. The
file is read without importing scikit-learn, which would take seconds.
"""

import gzip
import io
import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from core.encode.splits import stratified

NAME = "digits"
CLASSES = [str(digit) for digit in range(10)]
TEST_SAMPLES = 360
SOURCE = "UCI Optical Recognition of Handwritten Digits (Alpaydin, Kaynak), packaged by scikit-learn"
_SPLIT_SEED = 20
MANIFEST: dict[str, Any] = {"kind": "image", "shape": [8, 8, 1], "dtype": "uint8", "classes": CLASSES, "source": SOURCE}


def build() -> bytes:
    """The data set file (safetensors): 1,437 samples to train on and 360 to test, the same bytes every time."""
    package = find_spec("sklearn")
    if package is None or package.origin is None:
        raise RuntimeError("the digits come with scikit-learn, which is not installed")
    packed = Path(package.origin).parent / "datasets" / "data" / "digits.csv.gz"
    table = np.loadtxt(io.BytesIO(gzip.decompress(packed.read_bytes())), delimiter=",", dtype=np.int64)
    inputs = np.rint(table[:, :-1] * (255 / 16)).astype(np.uint8).reshape(-1, 8, 8, 1)
    targets = table[:, -1]
    train, test = stratified(targets, TEST_SAMPLES, _SPLIT_SEED)
    return save(
        {
            "train.inputs": inputs[train],
            "train.targets": targets[train],
            "test.inputs": inputs[test],
            "test.targets": targets[test],
        },
        metadata={"manifest": json.dumps(MANIFEST, sort_keys=True)},
    )

"""The built-in data sets: 1,797 handwritten digits of 8x8 pixels, as images and as sequences of their rows.

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
from numpy.typing import NDArray
from safetensors.numpy import save

from core.encode.splits import stratified

CLASSES = [str(digit) for digit in range(10)]
TEST_SAMPLES = 360
SOURCE = "UCI Optical Recognition of Handwritten Digits (Alpaydin, Kaynak), packaged by scikit-learn"
_SPLIT_SEED = 20
MANIFESTS: dict[str, dict[str, Any]] = {
    "digits": {"kind": "image", "shape": [8, 8, 1], "dtype": "uint8", "classes": CLASSES, "source": SOURCE},
    "digits-rows": {"kind": "series", "shape": [8, 8], "dtype": "float32", "classes": CLASSES, "source": SOURCE},
}
"""Images with pixels of 0-255; series of eight steps, one row of eight numbers from 0 to 16 each, top to bottom."""


def build(name: str = "digits") -> bytes:
    """A data set file (safetensors): 1,437 samples to train on and 360 to test, the same bytes every time."""
    package = find_spec("sklearn")
    if package is None or package.origin is None:
        raise RuntimeError("the digits come with scikit-learn, which is not installed")
    packed = Path(package.origin).parent / "datasets" / "data" / "digits.csv.gz"
    table = np.loadtxt(io.BytesIO(gzip.decompress(packed.read_bytes())), delimiter=",", dtype=np.int64)
    inputs: NDArray[Any] = table[:, :-1].astype(np.float32).reshape(-1, 8, 8)
    if name == "digits":
        inputs = np.rint(inputs * (255 / 16)).astype(np.uint8)[..., None]
    targets = table[:, -1]
    train, test = stratified(targets, TEST_SAMPLES, _SPLIT_SEED)
    return save(
        {
            "train.inputs": inputs[train],
            "train.targets": targets[train],
            "test.inputs": inputs[test],
            "test.targets": targets[test],
        },
        metadata={"manifest": json.dumps(MANIFESTS[name], sort_keys=True)},
    )

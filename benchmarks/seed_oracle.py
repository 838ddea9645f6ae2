"""What the Keras model that Epochd's default CNN comes from computes: ``python -m benchmarks.seed_oracle``.

It builds that model in an environment of its own (``benchmarks.peers``) and writes its layers, parameter count and
logits to tests/unit/keras_seed.json, which a test holds our network to. Weights and inputs are made here, by a formula,
so the file is small and the test needs no TensorFlow. It has to run again only when a formula below changes.
"""

import hashlib
import json
import math
import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load

from benchmarks import peers
from core.encode import digits

ORACLE = Path(__file__).parents[1] / "tests" / "unit" / "keras_seed.json"
SEED, SAMPLES = 20_261_126, 16
SHAPES = ((3, 3, 1, 32), (32,), (3, 3, 32, 64), (64,), (1600, 128), (128,), (128, 10), (10,))
"""Keras's layout: kernels [height, width, in, out] and [in, out], each followed by its biases."""


def weights() -> list[NDArray[np.float32]]:
    """Evenly distributed numbers, in Keras's layout and order: kernels as wide as He's, biases up to 0.1."""
    generator = np.random.Generator(np.random.PCG64(SEED))
    made = []
    for shape in SHAPES:
        limit = 0.1 if len(shape) == 1 else math.sqrt(6 / math.prod(shape[:-1]))
        # only random(): how NumPy makes other distributions of the same bits may change between versions
        made.append(((2 * generator.random(shape) - 1) * limit).astype(np.float32))
    return made


def inputs() -> NDArray[np.float32]:
    """The first digits of the test split in 28x28: float32 [16, 28, 28, 1] from 0 to 1.

    Each pixel becomes nine, with a border of two: the same on every machine, which bilinear resizing is not to the last
    bit.
    """
    raw = load(digits.build())["test.inputs"][:SAMPLES]
    larger = np.pad(raw.repeat(3, 1).repeat(3, 2), ((0, 0), (2, 2), (2, 2), (0, 0)))
    return larger.astype(np.float32) / np.float32(255)


def sha256(arrays: Sequence[NDArray[Any]]) -> str:
    """Names arrays by their bytes."""
    return hashlib.sha256(b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)).hexdigest()


def main() -> None:
    """Ask Keras, and write down what it says."""
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder) / "inputs.npy", inputs())
        np.savez(Path(folder) / "weights.npz", *weights())
        ran = subprocess.run(
            [peers.python("keras"), "-m", "benchmarks.contenders.keras_seed", folder],
            env={**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "2"},
            cwd=Path(__file__).parents[1],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    found = {"weights_sha256": sha256(weights()), "inputs_sha256": sha256([inputs()]), **json.loads(ran.stdout)}
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in found.items())
    ORACLE.write_text(f"{{\n{lines}\n}}\n")
    print(
        f"{ORACLE}: {found['parameters']:,} parameters, logits of {SAMPLES} digits, Keras {found['versions']['keras']}"
    )


if __name__ == "__main__":
    main()

"""What Captum says of a function that our explanations are held to: ``python -m benchmarks.explain_oracle``.

It asks Captum in an environment of its own (``benchmarks.peers``) and writes the values to tests/unit/captum.json, so
the test needs no Captum. It has to run again only when the function below changes.
"""

import json
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import peers

ORACLE = Path(__file__).parents[1] / "tests" / "unit" / "captum.json"
SEED, PLAYERS = 20_261_126, 8


def weights() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of softmax(tanh(x first) second), a function [8] -> [3] in which no feature acts alone."""
    generator = np.random.Generator(np.random.PCG64(SEED))
    return 4 * generator.random((PLAYERS, 16)) - 2, 4 * generator.random((16, 3)) - 2


def main() -> None:
    """Ask Captum, and write down what it says."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.npz"
        first, second = weights()
        np.savez(path, first=first, second=second)
        ran = subprocess.run(
            [peers.python("captum"), "-m", "benchmarks.contenders.captum_explain", str(path)],
            cwd=Path(__file__).parents[1],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    found = json.loads(ran.stdout)
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in found.items())
    ORACLE.write_text(f"{{\n{lines}\n}}\n")
    print(f"{ORACLE}: {PLAYERS} players, Captum {found['versions']['captum']}")


if __name__ == "__main__":
    main()

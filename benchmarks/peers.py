"""Peers are installed by the benchmark that meets them, each into an environment of its own under the data folder."""

import subprocess
import sys
import venv

from epochd.up.supervisor import default_data_dir

_SERVED = ["torch==2.13.0", "numpy==2.4.6", "safetensors==0.8.0"]
REQUIREMENTS = {
    "pytorch": ["torch==2.13.0", "lightning==2.6.6", "numpy==2.4.6"],
    "captum": ["torch==2.13.0", "captum==0.9.0", "scikit-learn==1.9.1", "numpy==2.4.6"],
    "keras": ["tensorflow-cpu==2.21.0", "keras==3.15.1", "numpy==2.4.6"],
    "fastapi": ["fastapi==0.165.0", "uvicorn[standard]==0.54.0", *_SERVED],
    "litserve": ["litserve==0.2.19", *_SERVED],
    "bentoml": ["bentoml==1.4.39", *_SERVED],
    "mlserver": ["mlserver==1.7.1", "uvloop==0.21.0", *_SERVED],
    "torchserve": ["torchserve==0.12.0", "torch-model-archiver==0.12.0", "pyyaml==6.0.4", *_SERVED],
}


def python(name: str) -> str:
    """The interpreter of a peer's environment, which is made first if it is missing or was made for other versions."""
    folder = default_data_dir().expanduser() / "benchmarks" / name
    program, wanted, stamp = folder / "bin" / "python", "\n".join(REQUIREMENTS[name]), folder / "installed.txt"
    if not stamp.exists() or stamp.read_text() != wanted:
        print(f"Installing {', '.join(REQUIREMENTS[name])} into {folder} (minutes, once)", file=sys.stderr)
        venv.create(folder, clear=True, with_pip=True)
        command = [str(program), "-m", "pip", "install", "-q", "--disable-pip-version-check", *REQUIREMENTS[name]]
        subprocess.run(command, check=True)
        stamp.write_text(wanted)
    return str(program)


def versions(name: str) -> list[tuple[str, str]]:
    """The packages that a peer's environment was asked for, and their versions."""
    pairs = (requirement.split("==") for requirement in REQUIREMENTS[name])
    return [(package.partition("[")[0], number) for package, number in pairs]

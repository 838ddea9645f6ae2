"""The client as a package of its own, in an environment that holds nothing else."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

from stack import PATIENCE

ROOT = Path(__file__).parents[2]


def test_the_client_alone_talks_to_a_service(system: Any, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    binaries = tmp_path / "venv" / "bin"
    pip = [binaries / "pip", "install", "-q", "--disable-pip-version-check", "-c", ROOT / "constraints.txt"]
    asked = shlex.split(os.environ.get("PIP_ARGS", ""))  # of `make test PIP_ARGS=...`
    subprocess.run([*pip, *asked, ROOT / "client"], check=True, cwd=tmp_path, timeout=4 * PATIENCE)
    env = {**os.environ, "EPOCHD_URL": system.url}

    def epochd(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [binaries / "epochd", *arguments]
        return subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)

    versions = json.loads(epochd("version", "--json").stdout)
    assert versions["client"] == versions["server"] != "unknown"
    (tmp_path / "spec.json").write_text(
        json.dumps({"dataset": "digits", "network": {"family": "rnn"}, "hyperparameters": {"steps": 1}})
    )
    trained = epochd("train", "spec.json", "--watch", "--json")
    assert (trained.returncode, json.loads(trained.stdout.splitlines()[-1])["status"]) == (0, "succeeded")
    up = epochd("up")
    assert (up.returncode, "only the client is installed here" in up.stderr) == (1, True)

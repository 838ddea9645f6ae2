"""``epochd demo --exit``: what a newcomer's first command does."""

import subprocess
import sys
from pathlib import Path

import psutil
from stack import PATIENCE


def test_the_demonstration_trains_predicts_and_leaves_nothing(tmp_path: Path) -> None:
    before = {process.pid for process in psutil.process_iter()}
    demo = subprocess.run(
        [sys.executable, "-m", "epochd", "demo", "--exit", "--port", "0", "--data-dir", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=4 * PATIENCE,
    )
    assert demo.returncode == 0, demo.stdout + demo.stderr
    rows = {line.split()[0]: line.split() for line in demo.stdout.splitlines() if line.startswith("digits-")}
    assert rows["digits-cnn"][1] == "225,034"
    assert float(rows["digits-cnn"][2].rstrip("%")) >= 97
    assert float(rows["digits-rnn"][2].rstrip("%")) >= 93
    assert "██" in demo.stdout and "cnn: " in demo.stdout and "rnn: " in demo.stdout
    assert "Epochd is ready: http://127.0.0.1:" in demo.stdout
    ours = [
        process.info
        for process in psutil.process_iter(["pid", "cmdline", "environ"])
        if process.info["pid"] not in before and (process.info["environ"] or {}).get("EPOCHD_DATA_DIR") == str(tmp_path)
    ]
    assert ours == []

"""``epochd demo``: what a newcomer's first command does, in a script and on a terminal."""

import contextlib
import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import psutil
from stack import PATIENCE, until


def left_over(before: set[int], data_dir: Path) -> list[dict[str, object]]:
    """The processes of a demonstration that are still there."""
    return [
        process.info
        for process in psutil.process_iter(["pid", "cmdline", "environ"])
        if process.info["pid"] not in before and (process.info["environ"] or {}).get("EPOCHD_DATA_DIR") == str(data_dir)
    ]


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
    assert left_over(before, tmp_path) == []


def test_on_a_terminal_it_draws_progress_and_serves_until_ctrl_c(tmp_path: Path) -> None:
    before = {process.pid for process in psutil.process_iter()}
    screen, terminal = pty.openpty()
    os.set_blocking(screen, False)
    shown = b""

    def serving() -> bool:
        nonlocal shown
        with contextlib.suppress(BlockingIOError):
            shown += os.read(screen, 65536)
        return b"Ctrl-C stops it." in shown

    demo = subprocess.Popen(
        [sys.executable, "-m", "epochd", "demo", "--port", "0", "--data-dir", str(tmp_path)],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env={**os.environ, "TERM": "xterm-256color"},  # one that can draw, whatever runs the tests
    )
    os.close(terminal)
    try:
        until(serving, "the demonstration to be over and to keep serving", 4 * PATIENCE)
        text = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", shown.decode(errors="replace"))
        # Both bars, in the middle of a training and not only at its end.
        for name in ("digits-cnn", "digits-rnn"):
            assert re.search(rf"{name} +━+[╸ ━]* +[1-9]\d?% ", text)
        (url,) = re.findall(r"Epochd is ready: (http://127\.0\.0\.1:\d+) ", text)
        assert httpx.get(f"{url}/livez", timeout=PATIENCE).status_code == 200
        demo.send_signal(signal.SIGINT)
        assert demo.wait(PATIENCE) == 0
        assert left_over(before, tmp_path) == []
    finally:
        print(shown.decode(errors="replace"))  # for whoever looks into a failure
        demo.kill()
        demo.wait()
        os.close(screen)

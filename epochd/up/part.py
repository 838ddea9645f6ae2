"""One child process: it cannot outlive us, what it prints is kept, and what it warns of is shown."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

LARGEST_LOG = 8 << 20
KEPT_LINES = 20
SAME_AGAIN = 30.0
"""Seconds in which a part's same warning is shown once."""

# Runs in the child before the program itself: Linux then kills it when the *thread* that started it ends, also by
# kill -9. Not preexec_fn, which is unsafe in a process with threads.
_GUARD = """
import ctypes, os, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != int(sys.argv[1]):
        os._exit(1)
os.execvp(sys.argv[2], sys.argv[2:])
"""


class Part:
    """A named child process that can be started again. Start it only from a thread that outlives it."""

    def __init__(
        self, name: str, command: Sequence[str], env: Mapping[str, str], log: Path, warn: Callable[[str], None]
    ) -> None:
        self.name = name
        self.log = log
        self.started_at = 0.0
        self._command = [sys.executable, "-I", "-S", "-c", _GUARD, str(os.getpid()), *command]
        self._env = dict(env)
        self._warn = warn
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None
        self._tail: deque[str] = deque(maxlen=KEPT_LINES)

    def start(self) -> None:
        """Start the process, in a session of its own so that a Ctrl-C reaches only us."""
        self._tail.clear()
        self._process = subprocess.Popen(
            self._command,
            env=self._env,
            cwd=self.log.parent,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.started_at = time.monotonic()
        assert self._process.stdout is not None
        self._reader = threading.Thread(
            target=self._read, args=(self._process.stdout,), name=f"log of {self.name}", daemon=True
        )
        self._reader.start()

    @property
    def pid(self) -> int | None:
        """The process id, if it was started."""
        return self._process.pid if self._process else None

    def poll(self) -> int | None:
        """The exit status, or None while it runs (or has never been started)."""
        return self._process.poll() if self._process else None

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    def ask_to_stop(self) -> None:
        """Send SIGTERM."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def finish(self, seconds: float) -> bool:
        """Wait for its end, and end it by force if it takes too long; False if force was needed."""
        if self._process is None:
            return True
        clean = True
        try:
            self._process.wait(max(seconds, 0.0))
        except subprocess.TimeoutExpired:
            clean = False
        try:
            # Also what it may have left behind in its group.
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.wait()
        if self._reader is not None:
            self._reader.join(1.0)
        return clean

    def ending(self) -> str:
        """How it ended, in words."""
        status = self.poll()
        assert status is not None
        return f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with exit status {status}"

    def last_lines(self) -> list[str]:
        """The last lines it printed."""
        if self._reader is not None:
            self._reader.join(1.0)
        return list(self._tail)

    def _read(self, pipe: IO[bytes]) -> None:
        """Drain the pipe, whatever happens to the log: a full pipe would stop the part."""
        shown, shown_at, writable = "", 0.0, True
        with pipe:
            for raw in pipe:
                try:
                    append(self.log, raw)
                    writable = True
                except OSError as error:
                    if writable:
                        self._warn(f"{self.name}: cannot write {self.log}: {error.strerror}")
                    writable = False
                line = raw.decode(errors="replace").rstrip()
                self._tail.append(line)
                warning = warning_in(line)
                if warning and (warning != shown or time.monotonic() - shown_at > SAME_AGAIN):
                    shown, shown_at = warning, time.monotonic()
                    self._warn(f"{self.name}: {warning}")


def append(log: Path, line: bytes) -> None:
    """Add a line to a log; a full one becomes ``.1`` and a new one begins."""
    with log.open("ab") as file:
        file.write(line)
        full = file.tell() > LARGEST_LOG
    if full:
        os.replace(log, log.with_name(f"{log.name}.1"))


def warning_in(line: str) -> str | None:
    """What a JSON log line of level warning or above says; None for other lines."""
    try:
        record = json.loads(line)
    except ValueError:
        return None
    if not isinstance(record, dict) or record.get("level") not in ("warning", "error", "critical"):
        return None
    known = ("event", "level", "logger", "timestamp", "exception")
    return " ".join([str(record.get("event")), *(f"{k}={v}" for k, v in record.items() if k not in known)])

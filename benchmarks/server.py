"""A server that is measured: a process with its children, which stand still (SIGSTOP) while others have their turn."""

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx
import psutil

START_SECONDS = 90.0
STOP_SECONDS = 20.0


class NotStarted(Exception):
    """A server did not come up; says what it printed last."""


class Server:
    """Runs ``command`` and waits until ``ready`` (a path, or the port alone where it is empty) answers."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str], port: int, log: Path, ready: str = "") -> None:
        self.port, self._log = port, log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                env={**os.environ, **env},
                cwd=log.parent,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            self._wait(ready)
        except BaseException:
            self.close()
            raise

    @property
    def running(self) -> bool:
        """Whether the process that was started has not ended."""
        return self._process.poll() is None

    def pause(self) -> None:
        """Use no processor from now on. Parents first, who would wonder why their children are silent."""
        for process in self._family():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.suspend()

    def go_on(self) -> None:
        """After a pause."""
        for process in reversed(self._family()):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()

    def close(self) -> None:
        """End it and all that it started."""
        family = self._family()
        self.go_on()
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_SECONDS)
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.wait()

    def _family(self) -> list[psutil.Process]:
        try:
            parent = psutil.Process(self._process.pid)
            return [parent, *parent.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def _wait(self, ready: str) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not _answers(self.port, ready):
            if self._process.poll() is not None or time.monotonic() > deadline:
                lines = self._log.read_text(errors="replace").splitlines()[-12:]
                raise NotStarted("\n".join(["it did not start; its last lines:", *lines]))
            time.sleep(0.2)


def _answers(port: int, ready: str) -> bool:
    if not ready:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0
    try:
        return httpx.get(f"http://127.0.0.1:{port}{ready}", timeout=5).is_success
    except httpx.HTTPError:
        return False


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on."""
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]

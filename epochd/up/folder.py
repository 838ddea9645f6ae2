"""The data folder of one ``epochd up``: who holds it, and where its short-lived socket lies."""

import fcntl
import hashlib
import json
import os
import shutil
import stat
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from epochd.errors import EpochdError

LONGEST_SOCKET = 100
"""Bytes of a unix socket's path; Linux allows 107, macOS 103."""


class FolderInUse(EpochdError):
    """Another ``epochd up`` works on this data folder."""


class DataFolder:
    """Creates the folder and holds it against others; the kernel lets go when this process ends, however it ends."""

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().resolve()
        self.logs = self.path / "logs"
        self._lock = self.path / "up.lock"
        self._descriptor = -1
        self._runtime: Path | None = None

    def __enter__(self) -> Self:
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.logs.mkdir(exist_ok=True)
            self._descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise EpochdError(
                f"cannot use {self.path} as data folder: {error.strerror}; give another --data-dir"
            ) from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._descriptor)
            raise FolderInUse(
                f"{self.path} is in use by another `epochd up`{self._holder()}; "
                "stop that one or give another --data-dir"
            ) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)

    def announce(self, url: str) -> None:
        """Leave word of who holds the folder, for a second one that wants it."""
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, json.dumps({"pid": os.getpid(), "url": url}).encode(), 0)

    def _holder(self) -> str:
        try:
            holder = json.loads(self._lock.read_text())
        except (OSError, ValueError):  # it has not said so yet
            return ""
        return f" (process {holder['pid']}, {holder['url']})"

    def runtime(self) -> Path:
        """A folder that only this user can enter, with a path short enough for sockets; the same at every start."""
        digest = hashlib.sha256(os.fsencode(self.path)).hexdigest()[:12]
        name = f"epochd-{os.getuid()}-{digest}"
        for base in (os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir(), "/tmp"):
            if base and os.access(base, os.W_OK) and len(os.fsencode(f"{base}/{name}/redis.sock")) <= LONGEST_SOCKET:
                folder = Path(base) / name
                break
        else:
            raise EpochdError("there is no writable temporary folder with a short path; set TMPDIR to one")
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        # Under a shared /tmp somebody else may have made it first.
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            raise EpochdError(f"{folder} belongs to somebody else; set TMPDIR to a folder of your own")
        folder.chmod(0o700)
        self._runtime = folder
        return folder

    def remove_runtime(self) -> None:
        """Remove the folder of sockets; nothing in it is worth keeping."""
        if self._runtime is not None:
            shutil.rmtree(self._runtime, ignore_errors=True)

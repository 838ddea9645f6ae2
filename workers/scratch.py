"""The folder for the files of one worker's attempts; what killed workers left behind is removed."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core import ids


class Scratch:
    """A folder that is locked as long as its worker lives.

    A lock and no pid: in containers that share a volume every worker has the same pid.
    """

    def __init__(self, parent: Path) -> None:
        parent.mkdir(parents=True, exist_ok=True)
        self.path = parent / ids.new("scratch")
        with _held(_lock_file(parent)):  # or another worker would find this folder before it is locked
            for folder in parent.iterdir():
                if folder.is_dir() and _abandoned(folder):
                    shutil.rmtree(folder, ignore_errors=True)  # its worker may be deleting it at this moment
            self.path.mkdir()
            self._lock = os.open(_lock_file(self.path), os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX)

    def remove(self) -> None:
        """Delete the folder; what cannot be deleted the next worker tries again."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


def _lock_file(folder: Path) -> Path:
    return folder / "lock"


@contextmanager
def _held(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _abandoned(folder: Path) -> bool:
    """Whether the worker that made it is gone."""
    try:
        with _lock_file(folder).open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except FileNotFoundError:  # its worker was killed before it made the lock, or while it deleted the folder
        return True
    return True

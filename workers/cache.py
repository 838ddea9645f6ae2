"""Datasets on a worker's disk: fetched once, kept up to a limit, and those that were not used for longest go first.

Several workers may share the folder without a word between them. An attempt reads a dataset through a hard link of its
own, which lasts as long as its scratch folder: so the number of a file's links tells everybody whether it is in use,
and a file that is deleted in the very moment in which an attempt takes it stays whole for that attempt.
"""

import contextlib
import os
import time
from pathlib import Path

from core import blobs, log
from core.db import Database

PART_SECONDS = 3600.0
"""A file in the making that nobody wrote to for this long was left by a killed worker."""


class Cache:
    """A folder of dataset files of at most ``limit`` bytes together, those in use aside."""

    def __init__(self, folder: Path, limit: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._limit = folder, limit

    def give(self, database: Database, sha256: str, path: Path) -> None:
        """Make ``path``, on the same file system, a link to the dataset of this hash, which is fetched if need be."""
        cached = self._folder / f"{sha256}.safetensors"
        while not _linked(cached, path):
            with database.reading() as session:
                size = blobs.size(session, sha256)
            self.trim(size)
            blobs.fetch(database, sha256, cached)
        os.utime(path)  # of the file itself, however it is called: it was used now
        self.trim()

    def trim(self, room: int = 0) -> None:
        """Delete what is not in use until ``room`` more bytes fit, or nothing is left to delete."""
        files = sorted(self._files(), key=lambda one: one[1].st_mtime_ns)
        total = sum(found.st_size for _, found in files) + room
        for path, found in files:
            if total <= self._limit:
                break
            if found.st_nlink == 1 and (path.suffix == ".safetensors" or found.st_mtime < time.time() - PART_SECONDS):
                path.unlink(missing_ok=True)
                total -= found.st_size
                log.get(__name__).info("dataset_dropped", file=path.name, bytes=found.st_size)

    def _files(self) -> list[tuple[Path, os.stat_result]]:
        found = []
        for path in self._folder.iterdir():
            with contextlib.suppress(FileNotFoundError):  # another worker was faster
                found.append((path, path.stat()))
        return found


def _linked(cached: Path, path: Path) -> bool:
    """Link a file; false if it is not there."""
    try:
        path.hardlink_to(cached)
    except FileNotFoundError:
        return False
    return True

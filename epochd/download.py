"""Fetch a file of the service: resumed after a lost connection, checked, and never half there under its name."""

import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path

from epochd.errors import ConnectionFailed, DownloadCorrupt
from epochd.transport import PAUSES, Transport

SILENCE = 30.0


def fetch(
    transport: Transport, url_path: str, sha256: str, target: Path, progress: Callable[[int], None] | None = None
) -> None:
    """Download to ``target`` the bytes whose SHA-256 is ``sha256``; ``progress`` is told the bytes that are there.

    The bytes gather in ``.<name>.<sha256>.part`` beside the target, so that a later call (also of another process) goes
    on where this one stopped; the target appears by a rename, after the check.

    Raises:
        ApiError: the service refused.
        ConnectionFailed: the connection was lost several times without a byte in between.
        DownloadCorrupt: the bytes are not those.
    """
    part = target.with_name(f".{target.name}.{sha256[:16]}.part")
    failures = 0
    while True:
        before = _size(part)
        try:
            _append(transport, url_path, sha256, part, progress)
            break
        except ConnectionFailed:
            failures = 0 if _size(part) > before else failures + 1
            if failures > len(PAUSES):
                raise
            time.sleep(PAUSES[max(failures - 1, 0)])
    if _sha256(part) != sha256:
        part.unlink()
        raise DownloadCorrupt(f"the bytes of {url_path} are not those that the service announced; please try again")
    os.replace(part, target)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _append(
    transport: Transport, url_path: str, sha256: str, part: Path, progress: Callable[[int], None] | None
) -> None:
    """One request for what is missing. If-Range makes the service send everything when the file is another one now."""
    have = _size(part)
    headers = {"Accept-Encoding": "identity"}
    if have:
        headers |= {"Range": f"bytes={have}-", "If-Range": f'"{sha256}"'}
    with transport.open(url_path, headers=headers, read_timeout=SILENCE, allow=(416,)) as response:
        if response.status_code == 416:  # we have all of it already
            return
        fresh = response.status_code == 200
        have = 0 if fresh else have
        with part.open("wb" if fresh else "ab") as file:
            for chunk in response.iter_raw():  # as it comes: a cut loses nothing that has arrived
                file.write(chunk)
                have += len(chunk)
                if progress is not None:
                    progress(have)
            file.flush()
            os.fsync(file.fileno())


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

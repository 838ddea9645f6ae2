"""The first administrator's key, for a service that is not only for its own machine."""

import os
import secrets
import uuid
from pathlib import Path

from epochd.errors import EpochdError


def first_key(file: Path) -> str:
    """The key in ``file``; a new one is written there, readable by this user only, when there is no such file.

    Raises:
        EpochdError: the file cannot be read.
    """
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        try:
            return file.read_text().strip()
        except OSError as error:
            raise EpochdError(f"cannot read the key file {file}: {error.strerror}") from error
    key = f"ep_{uuid.uuid4().hex}_{secrets.token_urlsafe(32)}"
    with os.fdopen(descriptor, "w") as out:
        out.write(key + "\n")
    return key

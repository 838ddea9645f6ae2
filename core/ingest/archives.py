"""What all archives have in common: they may be damaged, and they may claim any number of members."""

import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EINVAL
from typing import BinaryIO

from core.ingest.findings import Refused, shown

MOST_MEMBERS = 500_000
_STEP = 2**20
_DAMAGED = (zlib.error, lzma.LZMAError, zipfile.BadZipFile, tarfile.HeaderError, struct.error)


def check_count(file: BinaryIO, name: str) -> None:
    """zipfile builds an object for each entry of a zip's directory, whatever the directory says of their number."""
    signature, count, tail = b"PK\x01\x02", 0, b""
    while data := file.read(_STEP):
        count += (tail + data).count(signature)
        tail = data[-3:]
    if count > MOST_MEMBERS:
        raise Refused(f"{shown(name)} has more than {MOST_MEMBERS:,} members")


@contextmanager
def damage(name: str) -> Iterator[None]:
    """What the standard library raises for bytes that are no archive, in one sentence that names the file."""
    try:
        yield
    except Refused:
        raise
    except EOFError as error:
        raise Refused(f"{shown(name)} is cut off: it ends in the middle of its data; send it again") from error
    except OSError as error:
        if error.errno not in (None, EINVAL):  # the disk's own trouble
            raise
        raise Refused(f"{shown(name)} is damaged: {shown(str(error))}") from error
    except NotImplementedError as error:  # zipfile's, for a compression that Python does not have
        raise Refused(f"{shown(name)} uses a compression that is not read: {shown(str(error))}") from error
    except (*_DAMAGED, ValueError, OverflowError, RuntimeError) as error:
        raise Refused(f"{shown(name)} is damaged: {shown(str(error))}") from error

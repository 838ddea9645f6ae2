"""Linux' inotify: a descriptor that can be read once somebody touched a file."""

import ctypes
import os
import sys

IN_ATTRIB = 0x4
"""``<sys/inotify.h>``: also told of a changed modification time by utime(2), not of data that were written."""


def touched(path: str) -> int:
    """A descriptor that can be read (and does not block) after each ``os.utime(path)`` by any process.

    Raises:
        OSError: there is no such file, the user has no watch left, or this is not Linux.
    """
    if sys.platform != "linux":
        raise OSError("only Linux has inotify")
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor: int = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    if descriptor < 0:
        raise _failure()
    if libc.inotify_add_watch(descriptor, os.fsencode(path), IN_ATTRIB) < 0:
        failure = _failure()
        os.close(descriptor)
        raise failure
    return descriptor


def _failure() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))

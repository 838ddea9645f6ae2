"""The Range header (RFC 9110, 14.2): one range of bytes; what is not understood means the whole."""

import re

_FORM = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


class Unsatisfiable(ValueError):
    """The range lies outside the file."""


def parse(header: str, size: int) -> tuple[int, int] | None:
    """(start, end) of the bytes asked for, end exclusive; null when the header is to be ignored.

    Raises:
        Unsatisfiable: it lies outside.
    """
    match = _FORM.fullmatch(header.replace(" ", ""))
    if match is None or match[0] == "bytes=-":
        return None
    first, last = match.groups()
    if not first:  # the last so many bytes
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), size if not last else min(size, int(last) + 1)
        if last and int(last) < start:
            return None
    if start >= end:
        raise Unsatisfiable
    return start, end

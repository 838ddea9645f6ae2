"""Prefixed, sortable identifiers: ``job_`` + UUIDv7 (RFC 9562, section 5.7) as 32 hexadecimal digits."""

import secrets
import time


def new(prefix: str) -> str:
    """A fresh id. Ids sort by the time they were made, to a quarter of a microsecond (section 6.2, method 3)."""
    milliseconds, rest = divmod(time.time_ns(), 1_000_000)
    value = milliseconds << 80 | 0x7 << 76 | (rest * 4096 // 1_000_000) << 64 | 0b10 << 62 | secrets.randbits(62)
    return f"{prefix}_{value:032x}"

"""Prefixed, sortable identifiers: ``job_`` + UUIDv7 (RFC 9562, section 5.7) as 32 hexadecimal digits."""

import secrets
import time


def new(prefix: str) -> str:
    """A fresh id. Ids made in different milliseconds sort by the time they were made."""
    milliseconds = time.time_ns() // 1_000_000
    random = secrets.randbits(74)
    value = milliseconds << 80 | 0x7 << 76 | (random >> 62) << 64 | 0b10 << 62 | random & (1 << 62) - 1
    return f"{prefix}_{value:032x}"

"""The data set file: safetensors, written piece by piece, so that memory holds some megabytes whatever the size.

The layout is that of the safetensors format: the length of the header in 8 bytes, the header in JSON, then the tensors.
"""

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_TYPES = {"int64": "I64", "float32": "F32", "uint8": "U8", "int16": "I16"}


@dataclass(frozen=True)
class Tensor:
    """A named array whose values come in pieces along the first axis."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    pieces: Iterator[NDArray[Any]]

    @property
    def size(self) -> int:
        """Bytes."""
        return int(np.prod(self.shape, dtype=np.int64)) * np.dtype(self.dtype).itemsize


def write(path: Path, manifest: dict[str, Any], tensors: list[Tensor]) -> None:
    """Write all or nothing: the file gets its name when it is complete. The same input gives the same bytes."""
    tensors = sorted(tensors, key=lambda one: (-np.dtype(one.dtype).itemsize, one.name))  # so that all are aligned
    header: dict[str, Any] = {"__metadata__": {"manifest": json.dumps(manifest, sort_keys=True)}}
    place = 0
    for one in tensors:
        offsets = [place, place := place + one.size]
        header[one.name] = {"dtype": _TYPES[one.dtype], "shape": list(one.shape), "data_offsets": offsets}
    packed = json.dumps(header, separators=(",", ":")).encode()
    packed += b" " * (-len(packed) % 8)
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            file.write(struct.pack("<Q", len(packed)) + packed)
            for one in tensors:
                written = sum(
                    file.write(np.ascontiguousarray(piece, np.dtype(one.dtype).newbyteorder("<")).data.cast("B"))
                    for piece in one.pieces
                    if piece.size
                )
                assert written == one.size, f"{one.name}: {written} bytes of {one.size}"
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)

"""Data set files with holes, which take no disk however large they are."""

import json
from pathlib import Path

import numpy as np

SIDE = 256


def images(path: Path, train: int, test: int) -> None:
    """Black images of 64 KiB each, of two classes in turn."""
    with open(path, "wb") as file:
        tensors, at = {}, 0
        for split, count in (("train", train), ("test", test)):
            for tensor, kind, size, shape in (
                ("inputs", "U8", count * SIDE * SIDE, [count, SIDE, SIDE, 1]),
                ("targets", "I64", count * 8, [count]),
            ):
                tensors[f"{split}.{tensor}"] = {"dtype": kind, "shape": shape, "data_offsets": [at, at + size]}
                at += size
        manifest = json.dumps({"kind": "image", "shape": [SIDE, SIDE, 1], "dtype": "uint8", "classes": ["a", "b"]})
        header = json.dumps({"__metadata__": {"manifest": manifest}, **tensors}).encode()
        file.write(len(header).to_bytes(8, "little") + header)
        file.truncate(8 + len(header) + at)
        for entry in tensors.values():
            if entry["dtype"] == "I64":
                file.seek(8 + len(header) + entry["data_offsets"][0])
                file.write((np.arange(entry["shape"][0]) % 2).tobytes())

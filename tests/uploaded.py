"""Small data sets for tests of uploads."""

import io
import tarfile
import zipfile
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from stack import Stack

SIDE = 12


def pictures(count: int = 120, classes: int = 3) -> dict[str, NDArray[Any]]:
    """Pictures whose class is how bright they are."""
    random = np.random.default_rng(7)
    labels = np.arange(count) % classes
    noise = random.integers(0, 40, (count, SIDE, SIDE, 1))
    return {"x": (noise + 60 * labels[:, None, None, None]).astype(np.uint8), "y": labels.astype(np.int64)}


def npz(**arrays: NDArray[Any]) -> bytes:
    data = io.BytesIO()
    np.savez(data, **arrays)
    return data.getvalue()


def png(pixels: NDArray[Any]) -> bytes:
    data = io.BytesIO()
    Image.fromarray(pixels[..., 0]).save(data, "PNG")
    return data.getvalue()


def folders(count: int = 60) -> bytes:
    """A zip with a folder of pictures for each class."""
    made, data = pictures(count), io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for number, (pixels, label) in enumerate(zip(made["x"], made["y"], strict=True)):
            archive.writestr(f"set/{['dark', 'grey', 'light'][label]}/{number}.png", png(pixels))
    return data.getvalue()


def put(stack: Stack, name: str, data: bytes, **query: Any) -> dict[str, Any]:
    answer = stack.http.put(f"/v1/datasets/{name}", content=data, params=query)
    assert answer.status_code == 202, answer.text
    job: dict[str, Any] = answer.json()
    assert answer.headers["Location"] == f"/v1/jobs/{job['id']}"
    return job


@lru_cache
def large() -> bytes:
    """A tar of pictures so large that reading them takes a while."""
    encoded = [png(np.full((700, 700, 1), shade, np.uint8)) for shade in range(30)]
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for number in range(300):
            info = tarfile.TarInfo(f"{number % 3}/{number}.png")
            info.size = len(encoded[number % 30])
            archive.addfile(info, io.BytesIO(encoded[number % 30]))
    return data.getvalue()


TINY = {"filename": "large.tar", "height": 8, "width": 8}
"""How ``large`` is read, so that it fits into little memory."""

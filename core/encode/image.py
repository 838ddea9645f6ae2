"""Images: encoded bytes or nested lists -> uint8 [height, width, channels]; bilinear resize."""

import io
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.encode.rows import stack

if TYPE_CHECKING:
    from PIL import Image

MAX_BYTES = 32 * 2**20
MAX_PIXELS = 64 * 10**6
"""Refused from the header, before anything is decoded: a small file can claim an enormous picture."""
FORMATS = ("PNG", "JPEG", "BMP", "WEBP")
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
_GREY = ("1", "L", "I", "I;16", "I;16B", "I;16L")
_ORIENTATION = 0x0112
# what Pillow raises for cut or damaged files
_DAMAGED = (
    OSError,
    SyntaxError,
    EOFError,
    LookupError,
    TypeError,
    ArithmeticError,
    RuntimeError,
    struct.error,
    zlib.error,
)
_CHUNK_VALUES = 2**22


def probe(data: bytes) -> tuple[int, int, int]:
    """(height, width, channels) of a PNG, JPEG, BMP or WebP from its header: 1 channel grey, 3 colour, 4 with alpha.

    ValueError: not such an image, or too large.
    """
    with _opened(data) as picture:
        height, width = picture.height, picture.width
        if "exif" in picture.info and picture.getexif().get(_ORIENTATION) in (5, 6, 7, 8):  # lies on its side
            height, width = width, height
        if picture.has_transparency_data:
            return height, width, 4
        return height, width, 1 if picture.mode in _GREY else 3


def decode(data: bytes, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """A PNG, JPEG, BMP or WebP as uint8 of ``shape`` (height, width, channels).

    Colours become grey (or the reverse) as the channels ask, transparency shows a white page, another size is resized.
    ValueError: not such an image, damaged, or too large.
    """
    from PIL import ImageOps

    height, width, channels = shape
    if channels not in _MODES:
        raise ValueError(f"images of {channels} channels have no common file format; send rows of numbers instead")
    with _opened(data) as picture:
        ImageOps.exif_transpose(picture, in_place=True)
        pixels = _pixels(picture, channels)
    resized: NDArray[np.uint8] = resize(pixels[None], (height, width))[0]
    return resized


def png(pixels: NDArray[np.uint8]) -> bytes:
    """An image [height, width, channels] as a PNG; of channel counts that PNG does not know, the first one."""
    from PIL import Image

    known = pixels if pixels.shape[2] in (3, 4) else pixels[..., 0]
    data = io.BytesIO()
    Image.fromarray(known).save(data, "PNG")
    return data.getvalue()


@contextmanager
def _opened(data: bytes) -> Iterator["Image.Image"]:
    """A picture whose header was read, within the limits; what Pillow raises inside becomes ValueError."""
    from PIL import Image, UnidentifiedImageError

    if len(data) > MAX_BYTES:
        raise ValueError(f"the image has {len(data):,} bytes; the limit is {MAX_BYTES:,}")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise ValueError(f"the image has {picture.width}x{picture.height} pixels; the limit is {MAX_PIXELS:,}")
            yield picture
    except UnidentifiedImageError as error:
        raise ValueError(f"the body is not an image of a known format ({', '.join(FORMATS)})") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError(f"the image has too many pixels; the limit is {MAX_PIXELS:,}") from error
    except _DAMAGED as error:
        raise ValueError(f"the image is damaged: {error}") from error


def _pixels(picture: "Image.Image", channels: int) -> NDArray[np.uint8]:
    """uint8 [H, W, channels]; 16 bits of grey keep their upper 8."""
    from PIL import Image

    if picture.mode.startswith("I"):
        picture = Image.fromarray((np.asarray(picture).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8))
    if channels != 4 and picture.has_transparency_data:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    pixels = np.asarray(picture if picture.mode == _MODES[channels] else picture.convert(_MODES[channels]), np.uint8)
    return pixels.reshape(pixels.shape[0], pixels.shape[1], channels)


def recolour(images: NDArray[np.uint8], channels: int) -> NDArray[np.uint8]:
    """uint8 [N, H, W, 1, 3 or 4] -> uint8 [N, H, W, channels], as ``decode`` does it."""
    from PIL import Image

    if images.shape[3] == channels:
        return images
    pictures = images[..., 0] if images.shape[3] == 1 else images
    return np.stack([_pixels(Image.fromarray(np.ascontiguousarray(one)), channels) for one in pictures])


def from_rows(rows: Any, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Nested lists of numbers 0-255, one [height][width][channels] a sample -> uint8 [N, H, W, C].

    One-channel images may leave the innermost lists out. Fractions are rounded. ValueError says what is wrong.
    """
    values = stack(rows, shape, "height, width, channels")
    if values.dtype == np.uint8:
        return values.copy()
    # written so that NaN fails too
    if values.size and not (values.min() >= 0 and values.max() <= 255):
        raise ValueError("pixels must be numbers from 0 to 255")
    return values.astype(np.uint8) if values.dtype.kind in "iu" else np.rint(values).astype(np.uint8)


def resize(images: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Bilinear with half-pixel centres: uint8 [N, H, W, C] -> uint8 [N, height, width, C].

    Shrinking averages over all the pixels that fall together (a triangle filter, as Pillow), so thin strokes survive.
    """
    count, height, width, channels = images.shape
    if size == (height, width):
        return images
    down, across = _weights(height, size[0]), _weights(width, size[1])
    result = np.empty((count, *size, channels), np.uint8)
    step = max(1, _CHUNK_VALUES // max(1, max(height, size[0]) * max(width, size[1]) * channels))
    for start in range(0, count, step):  # in parts: the floating point copies stay small
        part = images[start : start + step].astype(np.float32)
        part = np.matmul(down, part.reshape(len(part), height, width * channels)).reshape(-1, width, channels)
        part = np.matmul(across, part).reshape(-1, *size, channels)
        result[start : start + step] = np.rint(np.clip(part, 0, 255, out=part), out=part)
    return result


@lru_cache(maxsize=64)
def _weights(old: int, new: int) -> NDArray[np.float32]:
    """How much of each old pixel a new pixel takes: [new, old], rows sum to 1."""
    scale = old / new
    reach = max(1.0, scale)
    centres = (np.arange(new) + 0.5) * scale
    distance = np.abs(np.arange(old)[None, :] + 0.5 - centres[:, None]) / reach
    weights = np.clip(1 - distance, 0, None)
    return np.asarray(weights / weights.sum(1, keepdims=True), np.float32)

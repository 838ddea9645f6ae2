"""Images: encoded bytes or nested lists -> uint8 [height, width, channels]; bilinear resize."""

import io
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.encode.rows import stack

MAX_BYTES = 32 * 2**20
MAX_PIXELS = 64 * 10**6
"""Refused from the header, before anything is decoded: a small file can claim an enormous picture."""
FORMATS = ("PNG", "JPEG", "BMP", "WEBP")
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
_CHUNK_VALUES = 2**22


def decode(data: bytes, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """A PNG, JPEG, BMP or WebP as uint8 of ``shape`` (height, width, channels).

    Colours become grey (or the reverse) as the channels ask, transparency shows a white page, another size is resized.
    ValueError: not such an image, damaged, or too large.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    if len(data) > MAX_BYTES:
        raise ValueError(f"the image has {len(data):,} bytes; the limit is {MAX_BYTES:,}")
    height, width, channels = shape
    if channels not in _MODES:
        raise ValueError(f"images of {channels} channels have no common file format; send rows of numbers instead")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise ValueError(f"the image has {image.width}x{image.height} pixels; the limit is {MAX_PIXELS:,}")
            picture = ImageOps.exif_transpose(image)
            if picture.has_transparency_data and channels != 4:
                picture = picture.convert("RGBA")
                picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
            pixels = np.asarray(picture.convert(_MODES[channels]), np.uint8)
    except UnidentifiedImageError as error:
        raise ValueError(f"the body is not an image of a known format ({', '.join(FORMATS)})") from error
    except Image.DecompressionBombError as error:
        raise ValueError(f"the image has too many pixels; the limit is {MAX_PIXELS:,}") from error
    except (OSError, SyntaxError) as error:  # what Pillow raises for cut or damaged files
        raise ValueError(f"the image is damaged: {error}") from error
    pixels = pixels.reshape(pixels.shape[0], pixels.shape[1], channels)
    resized: NDArray[np.uint8] = resize(pixels[None], (height, width))[0]
    return resized


def png(pixels: NDArray[np.uint8]) -> bytes:
    """An image [height, width, channels] as a PNG; of channel counts that PNG does not know, the first one."""
    from PIL import Image

    known = pixels if pixels.shape[2] in (3, 4) else pixels[..., 0]
    data = io.BytesIO()
    Image.fromarray(known).save(data, "PNG")
    return data.getvalue()


def from_rows(rows: Any, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Nested lists of numbers 0-255, one [height][width][channels] a sample -> uint8 [N, H, W, C].

    One-channel images may leave the innermost lists out. Fractions are rounded. ValueError says what is wrong.
    """
    values = stack(rows, shape, "height, width, channels")
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

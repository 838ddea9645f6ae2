"""The bodies that ``:predict`` reads, checked against what the model expects: JSON rows, or one image file."""

import re
from typing import Annotated

import msgspec
import numpy as np
from numpy.typing import NDArray

from core.encode import image
from core.errors import Invalid, UnsupportedMedia

IMAGES = ("image/png", "image/jpeg", "image/bmp", "image/webp")
MOST_INPUTS = 4096

Rows = list[list[float | list[float]]]


class Body(msgspec.Struct, forbid_unknown_fields=True):
    """``{"inputs": [sample, ...]}``; a sample is rows of pixels, or rows of pixels of channels."""

    inputs: Annotated[list[Rows], msgspec.Meta(min_length=1, max_length=MOST_INPUTS)]


_DECODER = msgspec.json.Decoder(Body)
_PATH = re.compile(r" - at `\$\.?(.*)`$")


def media_type(header: str) -> str:
    """The kind of a body.

    Raises:
        UnsupportedMedia: not one that is read here.
    """
    kind = header.partition(";")[0].strip().lower()
    if kind != "application/json" and kind not in IMAGES:
        raise UnsupportedMedia(
            f"send application/json with {{'inputs': [...]}} or one image ({', '.join(IMAGES)}), not {kind!r}"
        )
    return kind


def read(kind: str, data: bytes, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Raw samples uint8 [N, H, W, C] of a body.

    Raises:
        Invalid: the body is not that, or does not fit the model; points at the input.
    """
    if kind != "application/json":
        try:
            return image.decode(data, shape)[None]
        except ValueError as error:
            raise Invalid(str(error)) from None
    try:
        inputs = _DECODER.decode(data)
    except msgspec.ValidationError as error:
        raise _described(error) from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise Invalid(f"the body is not JSON: {error}") from None
    return _samples(inputs.inputs, shape)


def _samples(inputs: list[Rows], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    try:
        return image.from_rows(inputs, shape)
    except ValueError:
        for index, one in enumerate(inputs):
            try:
                image.from_rows([one], shape)
            except ValueError as error:
                raise Invalid(str(error), f"#/inputs/{index}") from None
        raise


def _described(error: msgspec.ValidationError) -> Invalid:
    """msgspec's ``... - at `$.inputs[3][0]` `` as a sentence and a JSON pointer."""
    text = str(error)
    place = _PATH.search(text)
    sentence = _PATH.sub("", text)
    if place is None:
        return Invalid(sentence)
    parts = re.findall(r"[^.\[\]]+", place[1])
    return Invalid(sentence, "#" + "".join(f"/{part}" for part in parts))

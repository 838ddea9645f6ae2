"""The bodies that ``:predict`` reads, checked against what the model expects: JSON rows, or one image file."""

import re
from typing import Annotated, Any

import msgspec
from numpy.typing import NDArray

from core.encode import Preprocessing, image
from core.errors import Invalid, UnsupportedMedia

IMAGES = ("image/png", "image/jpeg", "image/bmp", "image/webp")
MOST_INPUTS = 4096

Rows = list[float | list[float | list[float]]]


class Body(msgspec.Struct, forbid_unknown_fields=True):
    """``{"inputs": [sample, ...]}``; a sample is nested lists: an image's rows of pixels (of channels), or a series."""

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


def read(kind: str, data: bytes, preprocessing: Preprocessing) -> NDArray[Any]:
    """Raw samples of a body: images uint8 [N, H, W, C] or series float32 [N, T, F].

    Raises:
        Invalid: the body is not that, or does not fit the model; points at the input.
        UnsupportedMedia: an image for a model that reads none.
    """
    if kind != "application/json":
        if preprocessing.kind != "image":
            raise UnsupportedMedia(
                "this model reads sequences of numbers: send application/json with {'inputs': [...]}"
            )
        try:
            return image.decode(data, preprocessing.shape)[None]
        except ValueError as error:
            raise Invalid(str(error)) from None
    try:
        inputs = _DECODER.decode(data)
    except msgspec.ValidationError as error:
        raise _described(error) from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise Invalid(f"the body is not JSON: {error}") from None
    return _samples(inputs.inputs, preprocessing)


def _samples(inputs: list[Rows], preprocessing: Preprocessing) -> NDArray[Any]:
    try:
        return preprocessing.from_rows(inputs)
    except ValueError:
        for index, one in enumerate(inputs):
            try:
                preprocessing.from_rows([one])
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

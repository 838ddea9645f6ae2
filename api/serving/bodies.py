"""The bodies that ``:predict`` reads, checked against the model: JSON, CSV, raw tensors, and files."""

import math
import re
from typing import Annotated, Any, TypeVar

import msgspec
from numpy.typing import NDArray

from api.serving.numbers import CSV, RAW, from_bytes, from_csv, from_json
from core.encode import Preprocessing, image
from core.encode.preprocessing import LONGER
from core.errors import Invalid, UnsupportedMedia

IMAGES = ("image/png", "image/jpeg", "image/bmp", "image/webp")
AUDIO = ("audio/wav", "audio/flac", "audio/ogg", "audio/mpeg")
FILES = frozenset((*IMAGES, *AUDIO))
TEXT = "text/plain"
MEDIA = frozenset(("application/json", TEXT, CSV, RAW, *FILES))
MOST_INPUTS = 4096
MOST_PROMPT = 65_536
"""Characters."""
MOST_TOKENS = 4096
MOST_SEED = 2**53 - 1
"""What JavaScript can hold exactly too."""

Rows = list[float | list[float | list[float]]] | str


class Body(msgspec.Struct, forbid_unknown_fields=True):
    """``{"inputs": [sample, ...]}``; a sample is an image's rows of pixels (of channels), a series, a
    recording's samples, or a text."""

    inputs: Annotated[list[Rows], msgspec.Meta(min_length=1, max_length=MOST_INPUTS)]


class Texts(msgspec.Struct, forbid_unknown_fields=True):
    """The same for a model of texts."""

    inputs: Annotated[list[str], msgspec.Meta(min_length=1, max_length=MOST_INPUTS)]


class PromptBody(msgspec.Struct, forbid_unknown_fields=True):
    """What a language model is sent; ``core.sampling`` says what the numbers mean."""

    prompt: Annotated[str, msgspec.Meta(max_length=MOST_PROMPT)] = ""
    max_tokens: Annotated[int, msgspec.Meta(ge=1, le=MOST_TOKENS)] = 200
    temperature: Annotated[float, msgspec.Meta(ge=0, le=5)] = 0.8
    top_k: Annotated[int, msgspec.Meta(ge=1, le=2**31)] | None = None
    seed: Annotated[int, msgspec.Meta(ge=0, le=MOST_SEED)] | None = None
    stop: Annotated[str, msgspec.Meta(min_length=1, max_length=64)] | None = None


_READS = {
    "image": "this model reads images: send one as it is, application/json with {'inputs': [...]}, or raw uint8 as "
    "application/octet-stream",
    "series": "this model reads sequences of numbers: send application/json with {'inputs': [...]}, text/csv or raw "
    "float32 as application/octet-stream",
    "audio": "this model reads recordings: send one as it is, application/json with {'inputs': [...]}, or the samples "
    "of one as raw float32 from -1 to 1 as application/octet-stream",
    "corpus": "this model writes: send text/plain, or application/json with {'prompt': '...'}",
    "text": "this model reads texts: send text/plain, or application/json with {'inputs': ['...']}",
}
_KINDS = {TEXT: ("text",), CSV: ("series",), RAW: ("image", "series", "audio"), **dict.fromkeys(AUDIO, ("audio",))}
"""Of models that read such a body; all other files are images."""
_B = TypeVar("_B")
_DECODER = msgspec.json.Decoder(Body)
_TEXTS_DECODER = msgspec.json.Decoder(Texts)
LARGE_BYTES = 2**16
_PROMPT_DECODER = msgspec.json.Decoder(PromptBody)
_PATH = re.compile(r" - at `\$\.?(.*)`$")


def media_type(header: str) -> str:
    """The kind of a body.

    Raises:
        UnsupportedMedia: not one that is read here.
    """
    kind = header.partition(";")[0].strip().lower()
    if kind not in MEDIA:
        raise UnsupportedMedia(
            f"send application/json with {{'inputs': [...]}}, one image ({', '.join(IMAGES)}), one recording "
            f"({', '.join(AUDIO)}), one text ({TEXT}), numbers ({CSV}) or a raw tensor ({RAW}), not {kind[:64]!r}"
        )
    return kind


def read(kind: str, data: bytes, preprocessing: Preprocessing) -> NDArray[Any]:
    """Raw samples of a body, as ``Preprocessing.from_rows`` gives them.

    Raises:
        Invalid: the body is not that, or does not fit the model; points at the input.
        UnsupportedMedia: an image, a recording, a text or bare numbers for a model that reads none.
    """
    if kind == "application/json" and len(data) > LARGE_BYTES:
        _require_possible(data, preprocessing)
    if kind != "application/json":
        if preprocessing.kind not in _KINDS.get(kind, ("image",)):
            raise UnsupportedMedia(_READS[preprocessing.kind])
        if kind == TEXT:
            return _samples([_text(data)], preprocessing)
        try:
            if kind in (CSV, RAW):
                return (from_csv if kind == CSV else from_bytes)(data, preprocessing, MOST_INPUTS)
            if kind in AUDIO:
                return preprocessing.from_recording(data)
            return image.decode(data, preprocessing.shape)[None]
        except Invalid:
            raise
        except ValueError as error:
            raise Invalid(str(error)) from None
    if preprocessing.kind == "text":
        return preprocessing.from_rows(_decode(_TEXTS_DECODER, data).inputs)
    found = from_json(data, preprocessing, MOST_INPUTS)
    return _samples(_decode(_DECODER, data).inputs, preprocessing) if found is None else found


def _require_possible(data: bytes, preprocessing: Preprocessing) -> None:
    """Refuse JSON with more values than the model reads at once, before any of them becomes a Python object.

    Raises:
        Invalid: it has.
    """
    if preprocessing.kind == "text":
        found, most = data.count(b'"') - data.count(b'\\"'), 2 * MOST_INPUTS + 8
    else:
        one = math.prod(preprocessing.shape) * (LONGER if preprocessing.variable else 1)
        most = 4 * MOST_INPUTS * one
        if len(data) <= most:  # it cannot; to count takes as long as half of reading
            return
        found = data.count(b",") + data.count(b"[")
    if found > most:
        raise Invalid(f"the body holds more values than {MOST_INPUTS:,} samples of this model have", "#/inputs")


def read_prompt(kind: str, data: bytes) -> PromptBody:
    """The body for a language model: JSON, or the prompt alone as text/plain.

    Raises:
        Invalid: the body is not that; points at the field.
        UnsupportedMedia: an image or a recording.
    """
    if kind == TEXT:
        text = _text(data)
        if len(text) > MOST_PROMPT:
            raise Invalid(f"the prompt has {len(text):,} characters; at most {MOST_PROMPT:,} are read", "#/prompt")
        return PromptBody(text)
    if kind != "application/json":
        raise UnsupportedMedia(_READS["corpus"])
    return _decode(_PROMPT_DECODER, data)


def _decode(decoder: msgspec.json.Decoder[_B], data: bytes) -> _B:
    try:
        return decoder.decode(data)
    except msgspec.ValidationError as error:
        raise _described(error) from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise Invalid(f"the body is not JSON: {error}") from None


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise Invalid(f"the text is not UTF-8: {error.reason} at byte {error.start}") from None


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

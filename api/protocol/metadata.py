"""What a version reads and answers, as tensors: its metadata, and the names that a request may use."""

from typing import Any

from typing_extensions import TypedDict

from api.protocol.samples import INPUT, LENGTHS, takes_lengths
from api.protocol.tensors import BYTES, NUMBERS
from api.serving.versions import Version
from core.encode import Preprocessing
from core.errors import Invalid

PLATFORM = "onnxruntime_onnx"


class Described(TypedDict):
    """A tensor: -1 stands for an axis of any length. ``parameters`` are said in docs/api.md."""

    name: str
    datatype: str
    shape: list[int]
    parameters: dict[str, Any]


class Metadata(TypedDict):
    """A model: its versions that are ready, newest first, and its tensors. ``parameters`` name classes or targets."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[Described]
    outputs: list[Described]
    parameters: dict[str, Any]


def describe(version: Version, numbers: list[int]) -> Metadata:
    """The metadata; ``numbers`` are those of the model's versions that are ready.

    Raises:
        Invalid: the version writes texts.
    """
    targets = version.preprocessing.targets
    parameters: dict[str, Any] = {"kind": version.preprocessing.kind, "version": str(version.number)}
    parameters |= {"classes": version.classes} if targets is None else {"targets": list(targets.names)}
    return {
        "name": version.model,
        "versions": [str(number) for number in numbers],
        "platform": PLATFORM,
        "inputs": _inputs(version),
        "outputs": outputs(version),
        "parameters": parameters,
    }


def require_answers(version: Version) -> None:
    """Refuse what neither classifies nor foretells.

    Raises:
        Invalid: the version writes texts.
    """
    if version.preprocessing.kind not in ("image", "series", "audio", "text"):
        raise Invalid(
            f"model {version.model} writes texts, which has no form in tensors; ask POST "
            f"/v1/models/{version.model}:predict"
        )


def _inputs(version: Version) -> list[Described]:
    require_answers(version)
    preprocessing = version.preprocessing
    datatype, shape, files = _input(preprocessing)
    accepted = [BYTES] if preprocessing.tokens is not None else [*NUMBERS, *([BYTES] if files else [])]
    parameters: dict[str, Any] = {"datatypes": accepted}
    if preprocessing.frames is not None:
        parameters["rate"] = preprocessing.frames.rate
    found: list[Described] = [{"name": INPUT, "datatype": datatype, "shape": shape, "parameters": parameters}]
    if takes_lengths(preprocessing):
        optional = {"optional": True}
        found.append({"name": LENGTHS, "datatype": "INT64", "shape": [-1], "parameters": optional})
    return found


def _input(preprocessing: Preprocessing) -> tuple[str, list[int], bool]:
    """Datatype and shape of raw samples, and whether files are read too."""
    if preprocessing.tokens is not None:
        return BYTES, [-1], False
    if preprocessing.frames is not None:
        return "INT16", [-1, -1], True
    if preprocessing.kind == "image":
        return "UINT8", [-1, *preprocessing.shape], True
    length = -1 if preprocessing.variable else preprocessing.shape[0]
    return "FP32", [-1, length, *preprocessing.shape[1:]], False


def outputs(version: Version) -> list[Described]:
    """The tensors of an answer, in their order."""
    targets = version.preprocessing.targets
    if targets is not None:
        shape = [-1, *([] if targets.horizon is None else [targets.horizon]), len(targets.names)]
        return [{"name": "values", "datatype": "FP32", "shape": shape, "parameters": {}}]
    each = [-1, len(version.classes)]
    kinds = {
        "probabilities": ("FP32", each),
        "logits": ("FP32", each),
        "class": (BYTES, [-1]),
        "index": ("INT64", [-1]),
    }
    return [
        {"name": name, "datatype": datatype, "shape": shape, "parameters": {}}
        for name, (datatype, shape) in kinds.items()
    ]

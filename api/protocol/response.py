"""What a network said of raw samples, as the tensors of an answer in JSON, with their bytes behind it where asked."""

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from api.protocol import metadata, tensors
from api.protocol.request import HEADER, Request
from api.serving.batching import Computed
from api.serving.predict import require_finite
from api.serving.versions import Version
from core.errors import Invalid

_ENCODER = msgspec.json.Encoder()


def wanted(request: Request, version: Version) -> dict[str, bool]:
    """The outputs to answer with, and whether each is sent as bytes.

    Raises:
        Invalid: the model has no such output.
    """
    known = [one["name"] for one in metadata.outputs(version)]
    for name in request.outputs:
        if name not in known:
            raise Invalid(f"this model has no output {name!r}, only {', '.join(map(repr, known))}")
    return request.outputs or dict.fromkeys(known, request.binary)


def compute(version: Version, samples: NDArray[Any], computed: Computed) -> dict[str, NDArray[Any]]:
    """Every output by name.

    Raises:
        Invalid: the numbers that it foretells are too large for FP32.
    """
    targets = version.preprocessing.targets
    if targets is not None:
        with np.errstate(over="ignore"):  # becomes infinite, and is refused
            values = targets.restore(computed[0], samples).astype(np.float32)
        require_finite(values)
        return {"values": values}
    logits, probabilities = computed
    index = logits.argmax(1)
    return {
        "probabilities": probabilities.astype(np.float32),
        "logits": logits,
        "class": np.array(version.classes, object)[index],
        "index": index.astype(np.int64),
    }


def encode(
    request: Request, version: Version, found: dict[str, NDArray[Any]], chosen: dict[str, bool]
) -> tuple[bytes, dict[str, str]]:
    """The body and its headers."""
    datatypes = {one["name"]: one["datatype"] for one in metadata.outputs(version)}
    described, binary = [], []
    for name, as_bytes in chosen.items():
        values = found[name]
        one: dict[str, Any] = {"name": name, "datatype": datatypes[name], "shape": list(values.shape)}
        if as_bytes:
            binary.append(tensors.to_bytes(values))
            one["parameters"] = {"binary_data_size": len(binary[-1])}
        else:
            one["data"] = values.ravel().tolist()
        described.append(one)
    answer: dict[str, Any] = {"model_name": version.model, "model_version": str(version.number)}
    if request.id is not None:
        answer["id"] = request.id
    body = _ENCODER.encode(answer | {"outputs": described})
    if not binary:
        return body, {"content-type": "application/json"}
    return b"".join([body, *binary]), {"content-type": "application/octet-stream", HEADER.lower(): str(len(body))}

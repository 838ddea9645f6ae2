"""The same images in the forms that servers read, and the classes in their answers. NumPy only."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.load import Question

Pixels = NDArray[np.uint8]
"""Images [N, 28, 28]."""
HEADER = "Inference-Header-Content-Length"


@dataclass(frozen=True)
class Form:
    """How a server is asked: body and headers of images, and from an answer's body and headers to classes."""

    path: str
    body: Callable[[Pixels], tuple[bytes, dict[str, str]]]
    classes: Callable[[bytes, Mapping[str, str]], list[int]]
    headers: Mapping[str, str] = field(default_factory=dict)

    def question(self, images: Pixels) -> Question:
        """A request about images."""
        body, headers = self.body(images)
        return Question([self.path], body, {**headers, **self.headers})


def as_json(images: Pixels) -> tuple[bytes, dict[str, str]]:
    """``{"inputs": [[[0, ...], ...]]}``."""
    body = json.dumps({"inputs": images.tolist()}, separators=(",", ":"))
    return body.encode(), {"Content-Type": "application/json"}


def as_bytes(images: Pixels) -> tuple[bytes, dict[str, str]]:
    """The pixels and nothing else."""
    return images.tobytes(), {"Content-Type": "application/octet-stream"}


def as_v2_json(images: Pixels) -> tuple[bytes, dict[str, str]]:
    """A tensor of the Open Inference Protocol, its data flat in the JSON."""
    given = {"name": "input", "shape": list(images.shape), "datatype": "UINT8", "data": images.ravel().tolist()}
    body = json.dumps({"inputs": [given]}, separators=(",", ":"))
    return body.encode(), {"Content-Type": "application/json"}


def as_v2_binary(images: Pixels) -> tuple[bytes, dict[str, str]]:
    """The same with the data behind the JSON; so are those of the answer."""
    data = images.tobytes()
    given = {"name": "input", "shape": list(images.shape), "datatype": "UINT8"}
    wanted = [{"name": name, "parameters": {"binary_data": True}} for name in ("index", "probabilities")]
    request = {"inputs": [{**given, "parameters": {"binary_data_size": len(data)}}], "outputs": wanted}
    head = json.dumps(request, separators=(",", ":")).encode()
    return head + data, {"Content-Type": "application/octet-stream", HEADER: str(len(head))}


def of_predictions(body: bytes, headers: Mapping[str, str]) -> list[int]:
    """``{"predictions": [{"index": 3, ...}, ...]}``, or the list alone."""
    found = json.loads(body)
    return [one["index"] for one in (found["predictions"] if isinstance(found, dict) else found)]


def of_v2(body: bytes, headers: Mapping[str, str]) -> list[int]:
    """The output ``index`` of an answer of the protocol, in JSON or behind it."""
    length = int(headers.get(HEADER, len(body)))
    outputs: list[dict[str, Any]] = json.loads(body[:length])["outputs"]
    for output in outputs:
        size = output.get("parameters", {}).get("binary_data_size", 0)
        if output["name"] == "index":
            count = math.prod(output["shape"])
            return [int(one) for one in (np.frombuffer(body, "<i8", count, length) if size else output["data"])]
        length += size
    raise ValueError("the answer has no output index")

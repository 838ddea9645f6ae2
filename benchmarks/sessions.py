"""Should versions of one architecture share a session, their weights as inputs? `python -m benchmarks.sessions`.

As it is, each version has a session of its own, into which ONNX Runtime folds its weights.
"""

import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from benchmarks.cold import NETWORK
from core.plan import Sample, make
from core.specs import TrainSpec
from models.export import export
from models.networks import build

IMAGES = Sample("image", (28, 28, 1), 10)
CASES: dict[str, tuple[Sample, dict[str, Any]]] = {
    "seed CNN, 28x28": (IMAGES, {"family": "cnn"}),
    "CNN of benchmarks.cold, 8x8": (Sample("image", (8, 8, 1), 10), NETWORK),
    "GRU, 28 steps of 28": (Sample("series", (28, 28), 10), {"family": "rnn", "cell": "gru"}),
}
BATCHES = (1, 16, 64)
RUNS = 200


def session(graph: bytes) -> Any:
    """As serving makes it."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def loosened(graph: bytes) -> tuple[bytes, dict[str, NDArray[np.float32]]]:
    """The graph with its weights as further inputs, and the weights."""
    model = onnx.load_from_string(graph)
    floats = [one for one in model.graph.initializer if one.data_type == onnx.TensorProto.FLOAT]
    for one in floats:
        model.graph.input.append(helper.make_tensor_value_info(one.name, one.data_type, list(one.dims)))
        model.graph.initializer.remove(one)
    content: bytes = model.SerializeToString()
    return content, {one.name: numpy_helper.to_array(one).copy() for one in floats}


def microseconds(work: Callable[[], object], runs: int = RUNS) -> float:
    """The median of some runs."""
    taken = []
    for _ in range(runs):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken) * 1e6


def compare(name: str, sample: Sample, network: dict[str, Any]) -> None:
    """Print one network's lines."""
    plan = make(TrainSpec.model_validate({"network": network}), sample)
    torch.manual_seed(0)
    graph = export(plan, build(plan).eval().state_dict())
    shared_graph, weights = loosened(graph)
    own, shared = session(graph), session(shared_graph)
    for batch in BATCHES:
        alone = {"input": np.random.default_rng(0).random((batch, *sample.shape), np.float32)}
        every = alone | weights
        np.testing.assert_allclose(own.run(["logits"], alone)[0], shared.run(["logits"], every)[0], atol=1e-4)
        one = microseconds(partial(own.run, ["logits"], alone))
        other = microseconds(partial(shared.run, ["logits"], every))
        print(f"{name:28} hot, batch {batch:2}  own {one:7.0f} us, shared {other:7.0f} us: {other / one:.2f}")
    alone = {"input": np.zeros((1, *sample.shape), np.float32)}
    one = microseconds(lambda: session(graph).run(["logits"], alone), 50)
    packed = b"".join(value.tobytes() for value in weights.values())

    def unpack() -> None:
        place, found = 0, {}
        for key, value in weights.items():
            found[key] = np.frombuffer(packed, np.float32, value.size, place).reshape(value.shape)
            place += value.nbytes
        shared.run(["logits"], alone | found)

    print(f"{name:28} first run        own {one:7.0f} us, shared {microseconds(unpack):7.0f} us")


def main() -> None:
    """Measure and print."""
    for name, (sample, network) in CASES.items():
        compare(name, sample, network)


if __name__ == "__main__":
    main()

"""The gate before a version is ready: ONNX Runtime must answer as torch does."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from core.plan import Plan
from models.evaluate import predict
from models.networks import Network

TOLERANCE = 1e-5
"""Of the largest logit, or absolute where all logits are below 1."""
_BATCHES = (1, 2, 7)


def verify(content: bytes, network: Network, plan: Plan) -> str | None:
    """Compare at three batch sizes on random input; null if all is well, else a sentence.

    Where sequences vary, each batch has lengths of its own: shorter, as long and longer than the plan's.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's errors have no common base but this one
        return f"ONNX Runtime cannot load the graph: {error}"
    generator = np.random.default_rng(0)
    device = next(network.parameters()).device
    for batch in _BATCHES:
        feed = _sample(plan, batch, generator)
        inputs, *lengths = (torch.from_numpy(value).to(device) for value in feed.values())
        wanted = predict(network, inputs, None, *lengths).cpu().numpy()
        (logits,) = session.run(["logits"], feed)
        worst = float(np.abs(logits - wanted).max())
        # written so that NaN fails too
        if not worst <= TOLERANCE * max(1.0, float(np.abs(wanted).max())):
            return f"ONNX Runtime and torch differ by {worst:.2g} at batch size {batch} (allowed: {TOLERANCE:.0e})"
    return None


def _sample(plan: Plan, batch: int, generator: np.random.Generator) -> dict[str, NDArray[Any]]:
    """Random input of the graph."""
    if not plan.variable:
        return {"input": generator.standard_normal((batch, *plan.input), dtype=np.float32)}
    longest, *rest = plan.input
    longest = {1: max(1, longest // 2), 2: longest}.get(batch, longest + 3)
    lengths = generator.integers(1, longest + 1, batch)
    lengths[-1] = longest
    first = plan.layers[0]
    if first.kind == "embedding":
        ids = generator.integers(0, int(first.options["vocabulary"]), (batch, longest), dtype=np.int32)
        return {"input": ids, "lengths": lengths}
    return {"input": generator.standard_normal((batch, longest, *rest), dtype=np.float32), "lengths": lengths}

"""The gate before a version is ready: ONNX Runtime must answer as torch does."""

import numpy as np
import torch

from core.plan import Plan
from models.evaluate import predict
from models.networks import Network

TOLERANCE = 1e-5
"""Of the largest logit, or absolute where all logits are below 1."""
_BATCHES = (1, 2, 7)


def verify(content: bytes, network: Network, plan: Plan) -> str | None:
    """Compare at three batch sizes on random input; null if all is well, else a sentence."""
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
        inputs = generator.standard_normal((batch, *plan.input), dtype=np.float32)
        wanted = predict(network, torch.from_numpy(inputs).to(device)).cpu().numpy()
        (logits,) = session.run(["logits"], {"input": inputs})
        worst = float(np.abs(logits - wanted).max())
        # written so that NaN fails too
        if not worst <= TOLERANCE * max(1.0, float(np.abs(wanted).max())):
            return f"ONNX Runtime and torch differ by {worst:.2g} at batch size {batch} (allowed: {TOLERANCE:.0e})"
    return None

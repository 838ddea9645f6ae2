"""The gate before a version is ready: ONNX Runtime must answer as torch does."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from core.plan import Plan
from core.plan_layers import GATES
from models.evaluate import predict
from models.export.onnx_graph import state_names
from models.networks import Network

TOLERANCE = 1e-5
"""Of the largest logit, or absolute where all logits are below 1."""
_BATCHES = (1, 2, 7)
_CARRIED = (1, 8, 21)
"""Where the parts end in which a language model reads its tokens."""


def verify(content: bytes, network: Network, plan: Plan) -> str | None:
    """Compare at three batch sizes on random input; null if all is well, else a sentence.

    Where sequences vary, each batch has lengths of its own: shorter, as long and longer than the plan's. A language
    model reads its tokens in three parts, each from the states that the part before it left.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's errors have no common base but this one
        return f"ONNX Runtime cannot load the graph: {error}"
    try:
        return _difference(session, network, plan)
    except _NotRun as error:
        return f"ONNX Runtime cannot run the graph: {error}"


class _NotRun(Exception):
    """ONNX Runtime loaded the graph and failed to run it."""


def _run(session: Any, outputs: list[str], feed: dict[str, NDArray[Any]]) -> list[NDArray[np.float32]]:
    try:
        found: list[NDArray[np.float32]] = session.run(outputs, feed)
    except Exception as error:  # as above
        raise _NotRun(error) from error
    return found


def _difference(session: Any, network: Network, plan: Plan) -> str | None:
    generator = np.random.default_rng(0)
    device = next(network.parameters()).device
    for batch in _BATCHES:
        if plan.carries:
            logits, wanted = _carried(session, network, plan, batch, generator)
        else:
            feed = _sample(plan, batch, generator)
            inputs, *lengths = (torch.from_numpy(value).to(device) for value in feed.values())
            wanted = predict(network, inputs, None, *lengths).cpu().numpy()
            (logits,) = _run(session, ["logits"], feed)
        worst = float(np.abs(logits - wanted).max())
        # written so that NaN fails too
        if not worst <= TOLERANCE * max(1.0, float(np.abs(wanted).max())):
            return f"ONNX Runtime and torch differ by {worst:.2g} at batch size {batch} (allowed: {TOLERANCE:.0e})"
    return None


@torch.inference_mode()
def _carried(
    session: Any, network: Network, plan: Plan, batch: int, generator: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """All logits and the last states: of ONNX Runtime, which reads part by part, and of torch, which reads at once."""
    first, (recurrent,) = plan.layers[0], (layer for layer in plan.layers if layer.kind in GATES)
    vocabulary, device = int(first.options["vocabulary"]), next(network.parameters()).device
    ids = generator.integers(0, vocabulary, (batch, _CARRIED[-1]), dtype=np.int32)
    shape, names = (int(recurrent.options["layers"]), batch, int(recurrent.options["hidden"])), state_names(plan)
    states = [np.zeros(shape, np.float32) for _ in names]
    parts = []
    for part in np.split(ids, _CARRIED[:-1], axis=1):
        feed = {"input": part, **dict(zip(names, states, strict=True))}
        logits, *states = _run(session, ["logits", *(f"next_{name}" for name in names)], feed)
        parts.append(logits)
    was_training = network.training
    network.eval()
    wanted, left = network.carry(torch.from_numpy(ids).to(device))
    network.train(was_training)
    found = [np.concatenate(parts, 1), *states]
    return _flat(found), _flat([one.cpu().numpy() for one in (wanted, *left)])


def _flat(arrays: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    return np.concatenate([one.ravel() for one in arrays])


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

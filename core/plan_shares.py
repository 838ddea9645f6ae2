"""How many samples go through a network together, from the plan, in training (``models.training.shares``) and else."""

from dataclasses import dataclass

from core.plan import Plan
from core.plan_layers import BYTES, Layer

FEWEST_SAMPLES = 16
"""Of a share: smaller ones cost more in calls than they gain."""
_GRADIENT_BYTES = 32 * 2**20
"""What the gradients of all further shares may take. Larger networks are busy in long operations anyway."""
_CACHED_BYTES = 16 * 2**20
"""A share goes through a CNN in pieces that hold at most this much, so that it stays in the processor's cache.

Recurrent networks gain more from the larger matrix products of a whole share.
"""

_LOOKED_AT_BYTES = 64 * 2**20
"""The same where no gradient is wanted, and all threads work on one piece."""
MOST_TOGETHER = 512


@dataclass(frozen=True)
class Division:
    """``threads`` take shares of a batch, each at most ``piece`` samples at once."""

    threads: int
    piece: int


def divide(plan: Plan, samples: int, threads: int) -> Division | None:
    """Of batches of so many samples; null where a batch goes through the network as a whole."""
    if not all(_takes_samples_one_by_one(layer) for layer in plan.layers):
        return None
    further = _GRADIENT_BYTES // (BYTES * plan.parameters)
    count = max(1, min(threads, samples // FEWEST_SAMPLES, 1 + further))
    piece = samples
    if any(layer.kind == "conv" for layer in plan.layers):
        piece = max(FEWEST_SAMPLES, _CACHED_BYTES // plan.activation_bytes)
    return Division(count, piece)


def together(plan: Plan) -> int:
    """Samples that a network looks at together when it is evaluated: more would take memory and gain nothing."""
    return max(FEWEST_SAMPLES, min(MOST_TOGETHER, _LOOKED_AT_BYTES // plan.activation_bytes))


def _takes_samples_one_by_one(layer: Layer) -> bool:
    """Whether a layer treats every sample by itself in training, and draws no random numbers."""
    if layer.kind in ("batch_norm", "dropout") or layer.options.get("dropout"):
        return False
    return all(_takes_samples_one_by_one(part) for part in layer.inner)

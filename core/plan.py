"""The plan: what a spec and a sample's shape make of a network, in plain arithmetic.

Validation, estimates, the table of layers, the ``nn.Module`` and the ONNX graph are all made from it.
"""

import math
from dataclasses import dataclass
from typing import Any

from core import plan_audio, plan_augment, plan_forecast, plan_language, plan_task
from core.plan_families import FAMILIES, network_input
from core.plan_layers import Layer, PlanError, Sample, Shape
from core.plan_steps import least
from core.specs import Cnn, Data, Network, TrainSpec

__all__ = ["FULL_BATCH_CHUNK", "Layer", "Plan", "PlanError", "Sample", "make"]

FULL_BATCH_CHUNK = 1024
"""Full-batch gradient descent sums the gradient over chunks of this many samples, so that memory has a bound."""
_MOST = 2**40
_SIDES = (28, 32, 48, 64, 96, 128, 192, 224, 256, 384, 512)


@dataclass(frozen=True)
class Plan:
    """The layers of a network in order. ``input`` is one sample after preprocessing, ``outputs`` what the head gives.

    ``variable``: the network reads sequences with their lengths; ``input`` has the longest, and longer ones work too.
    """

    layers: tuple[Layer, ...]
    input: Shape
    outputs: int
    variable: bool = False

    @property
    def parameters(self) -> int:
        """Numbers that training changes."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def vocabulary(self) -> int | None:
        """Token ids that the network reads; null where it reads no texts."""
        first = self.layers[0]
        return int(first.options["vocabulary"]) if first.kind == "embedding" else None

    @property
    def carries(self) -> bool:
        """A language model: it has a head at every step, and goes on from the states that it left."""
        return len(self.layers[-1].output) == 2

    @property
    def flops(self) -> int:
        """Of one forward pass of one sample (convolutions and matrix products; multiply + add = 2)."""
        return sum(layer.flops for layer in self.layers)

    @property
    def activation_bytes(self) -> int:
        """What training keeps of one sample, in fp32."""
        return sum(layer.activation_bytes for layer in self.layers)

    @property
    def least_batch(self) -> int:
        """Batch normalisation of one number a channel is undefined: a map of one place needs two samples."""
        places = [math.prod(layer.output[:-1]) for layer in self.batch_norms]
        return 2 if 1 in places or (places and self.variable) else 1

    @property
    def batch_norms(self) -> list[Layer]:
        """The layers that look at all samples of a batch together; those inside of residual blocks too."""
        flat = [layer for outer in self.layers for layer in (outer, *outer.inner)]
        return [layer for layer in flat if layer.kind == "batch_norm"]

    @property
    def least_steps(self) -> int:
        """Sequences that vary: shorter ones count as filled up with zeros to this length (``core.plan_steps``)."""
        return least(self.layers)

    def as_dict(self) -> dict[str, Any]:
        """JSON-able: input, outputs, parameters, flops, activation_bytes and the layers."""
        return {
            "input": list(self.input),
            "outputs": self.outputs,
            "parameters": self.parameters,
            "flops": self.flops,
            "activation_bytes": self.activation_bytes,
            "layers": [layer.as_dict() for layer in self.layers],
        }


def make(spec: TrainSpec, sample: Sample) -> Plan:
    """The plan of this training; PlanError says which field cannot be and what to do about it."""
    plan_task.check(spec.hyperparameters, sample)
    sample = plan_language.resolved(spec, plan_forecast.windowed(sample, spec.data))
    if spec.data.normalise == "unit" and sample.kind != "image":
        raise PlanError("#/data/normalise", "unit scales pixels; leave normalise out, or use none")
    if spec.data.normalise == "recording" and sample.kind != "audio":
        raise PlanError("#/data/normalise", "recording is for recordings; leave normalise out")
    if spec.data.normalise == "window" and sample.task != "forecast":
        raise PlanError("#/data/normalise", "window is for forecasts; leave normalise out")
    _check_options(spec.data, sample)
    shape = network_input(sample, spec)
    if spec.data.augment is not None and sample.task == "forecast":
        raise PlanError("#/data/augment", "the windows of a forecast are not augmented; leave augment out")
    if spec.data.augment is not None:
        plan_augment.check(spec.data.augment, sample.kind, shape)
    text = sample.kind == "text"
    variable = text or (sample.lengths is not None and len(shape) != 3)  # a cnn reads recordings of one length
    if variable and isinstance(spec.network, Cnn) and spec.network.global_pool == "none":
        raise PlanError(
            "#/network/global_pool",
            f"these {'texts' if text else 'series'} differ in length, and a dense layer reads one size; "
            'use global_pool "max" or "average"',
        )
    tokens = text or sample.kind == "corpus"
    vocabulary = (sample.vocabulary or spec.data.vocabulary_size) if tokens else 0
    try:
        laid = FAMILIES[spec.network.family](spec.network, shape, sample.outputs, vocabulary, sample.task)
    except PlanError as error:
        side = None if sample.kind != "image" else _least_side(spec.network, shape, sample)
        if side is None:
            raise
        size = f'"data": {{"resize": [{side}, {side}]}}'
        raise PlanError(
            error.pointer, f"{error.message}, or larger images: {size}", ("#/data/resize", f"larger images fit: {size}")
        ) from None
    plan = Plan(tuple(laid.layers), shape, sample.outputs, variable)
    for name, number in (("parameters", plan.parameters), ("bytes of activations a sample", plan.activation_bytes)):
        if number > _MOST:
            raise PlanError("#/network", f"the network would have {number:,} {name}; make its layers smaller")
    if spec.hyperparameters.batch_size is not None and spec.hyperparameters.batch_size < plan.least_batch:
        raise PlanError(
            "#/hyperparameters/batch_size",
            'batch normalisation of a single place needs at least 2 samples; use a larger batch or norm "group"',
        )
    return plan


def _least_side(network: Network, shape: Shape, sample: Sample) -> int | None:
    """The first usual side of square images, none smaller than these, that a network can be built for; null: none."""
    for side in (one for one in _SIDES if one >= max(shape[:2])):
        try:
            FAMILIES[network.family](network, (side, side, shape[2]), sample.outputs, 0, sample.task)
        except PlanError:
            continue
        return side
    return None


def _check_options(data: Data, sample: Sample) -> None:
    """Options of texts or recordings would do nothing to other samples, which nobody who gives them expects."""
    if sample.kind == "text" and data.resize is not None:
        raise PlanError("#/data/resize", "only images can be resized; leave resize out")
    usual = Data()
    for kinds, name, options in (
        (("text", "corpus"), "texts", ("tokens", "vocabulary", "lowercase", "nfc")),
        (("text",), "texts with classes", ("max_length",)),
        (("audio",), "recordings", plan_audio.OPTIONS),
    ):
        for option in options:
            if sample.kind not in kinds and getattr(data, option) != getattr(usual, option):
                raise PlanError(
                    f"#/data/{option}", f"{option} is for {name}, and these samples are {sample.kind}; leave it out"
                )

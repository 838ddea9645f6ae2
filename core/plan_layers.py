"""The parts of a plan: one sample's description, one layer, and the arithmetic of every layer kind.

Shapes leave the batch out. Images are (height, width, channels) and sequences (time, features) everywhere in a plan;
a convolution goes along the height and width of the first and along the time of the second, so its layers are the same.
``flatten`` alone reads channel by channel, as PyTorch does. FLOPs are those of one forward pass of one sample
in convolutions and matrix products, a multiply and an add counting two, as ``torch.utils.flop_counter`` counts them.
"""

import math
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from core.errors import Invalid
from core.specs import Task

Shape = tuple[int, ...]
Option = int | float | str | bool

BYTES = 4
"""Of one fp32 number."""
MONOTONE = frozenset({"relu", "leaky_relu", "tanh"})
"""Activations f with max(f(a), f(b)) == f(max(a, b)): they may follow a max-pool, on fewer values."""
GATES = {"elman": 1, "gru": 3, "lstm": 4}


class PlanError(Invalid):
    """The data cannot feed this network. ``pointer`` is the JSON pointer of the field to change.

    ``other``: another field that could be changed instead, and how.
    """

    def __init__(self, pointer: str, message: str, other: tuple[str, str] | None = None) -> None:
        super().__init__(message, errors=[(pointer, message), *([] if other is None else [other])])
        self.pointer = pointer


@dataclass(frozen=True)
class Sample:
    """What a data set's row says about its samples: their raw shape, and what is learnt of them.

    An image is (height, width, channels), a series (time, features), a text (). ``lengths`` are the shortest and the
    longest, in steps, characters or samples of the signal, where they differ (null for a text: not known); ``rate`` is
    that of recordings, in Hz, whose shape is () too. ``vocabulary`` counts the token ids
    of texts; null while training has not chosen them yet, which plans for the most that the spec allows.
    ``classes`` is 0 where the task is not classification, ``targets`` counts the numbers to foretell. A forecast's
    table is one series of which windows are seen: its ``rows`` are those to train on (validation with them) and to
    test on, and each target is foretold for ``horizon`` rows. A corpus is one text: ``characters`` are those to train
    on, of which so many are ``distinct`` (null: not counted).
    """

    kind: Literal["image", "series", "text", "audio", "corpus"]
    shape: Shape
    classes: int
    lengths: tuple[int, int] | None = None
    vocabulary: int | None = None
    rate: int | None = None
    task: Task = "classification"
    targets: int = 0
    rows: tuple[int, int] | None = None
    horizon: int = 1
    characters: int | None = None
    distinct: int | None = None

    @property
    def outputs(self) -> int:
        """The numbers that the head gives (for each token, where the task is language)."""
        match self.task:
            case "classification":
                return self.classes
            case "regression":
                return self.targets
            case "forecast":
                return self.horizon * self.targets
            case "language":
                assert self.vocabulary is not None, "the plan has resolved it"
                return self.vocabulary


@dataclass(frozen=True)
class Layer:
    """One step of the network. ``activation_bytes`` is what training keeps of it for one sample in fp32."""

    name: str
    kind: str
    input: Shape
    output: Shape
    parameters: int = 0
    flops: int = 0
    activation_bytes: int = 0
    options: dict[str, Option] = field(default_factory=dict)
    inner: tuple["Layer", ...] = ()
    """The layers of a residual block's body; the block's own numbers include them."""

    def as_dict(self) -> dict[str, Any]:
        """JSON-able; ``inner`` only where there is something inside."""
        row = asdict(self)
        if not self.inner:
            del row["inner"]
        return row


class Sequence:
    """Layers in the making: each method adds one layer behind the last."""

    def __init__(self, shape: Shape, prefix: str = "") -> None:
        self.shape = shape
        self.layers: list[Layer] = []
        self._prefix = prefix

    def _add(
        self,
        kind: str,
        output: Shape,
        *,
        parameters: int = 0,
        flops: int = 0,
        kept: int | None = None,
        inner: tuple[Layer, ...] = (),
        **options: Option,
    ) -> None:
        """``kept``: bytes of one sample that training holds; by default the output in fp32."""
        held = math.prod(output) * BYTES if kept is None else kept
        name = f"{self._prefix}{len(self.layers)}"
        self.layers.append(Layer(name, kind, self.shape, output, parameters, flops, held, options, inner))
        self.shape = output

    def conv(self, channels: int, kernel: int, stride: int, padding: int, bias: bool) -> None:
        """Convolution along every axis but the channels; the caller has made sure that the kernel fits."""
        *sides, depth = self.shape
        places = [(side + 2 * padding - kernel) // stride + 1 for side in sides]
        weights = kernel ** len(sides) * depth * channels
        self._add(
            "conv",
            (*places, channels),
            parameters=weights + (channels if bias else 0),
            flops=2 * weights * math.prod(places),
            kernel=kernel,
            stride=stride,
            padding=padding,
            bias=bias,
        )

    def norm(self, kind: str) -> None:
        """Batch or group normalisation over the channels, with a learned scale and shift."""
        channels = self.shape[-1]
        if kind == "batch":
            self._add("batch_norm", self.shape, parameters=2 * channels)
        else:
            self._add("group_norm", self.shape, parameters=2 * channels, groups=group_count(channels))

    def activation(self, kind: str) -> None:
        """An elementwise function."""
        self._add("activation", self.shape, function=kind)

    def pool(self, kind: str, size: int) -> None:
        """Windows of ``size`` (images: ``size`` x ``size``) side by side; a rest at the border is left out."""
        *sides, channels = self.shape
        output = (*(side // size for side in sides), channels)
        indices = 8 if kind == "max" else 0  # max-pool remembers where each maximum was, as int64
        self._add(f"{kind}_pool", output, kept=math.prod(output) * (BYTES + indices), size=size)

    def global_pool(self, kind: str) -> None:
        """The mean or the maximum of each channel: (height, width, channels) -> (1, 1, channels)."""
        self._add(f"global_{kind}", (*(1 for _ in self.shape[:-1]), self.shape[-1]))

    def dropout(self, ratio: float) -> None:
        """Sets a share of the values to zero in training; nothing when the share is 0 (no layer is added)."""
        if ratio:
            self._add("dropout", self.shape, kept=2 * math.prod(self.shape) * BYTES, ratio=ratio)

    def residual(self, norm: str, activation: str) -> None:
        """The basic block of He et al. (2015): activation(x + norm(conv(activation(norm(conv(x)))))), kernels of 3."""
        channels = self.shape[-1]
        body = Sequence(self.shape, f"{self._prefix}{len(self.layers)}.body.")
        for half in range(2):
            body.conv(channels, kernel=3, stride=1, padding=1, bias=norm == "none")
            if norm != "none":
                body.norm(norm)
            if half == 0:
                body.activation(activation)
        self._add(
            "residual",
            self.shape,
            parameters=sum(layer.parameters for layer in body.layers),
            flops=sum(layer.flops for layer in body.layers),
            kept=sum(layer.activation_bytes for layer in body.layers) + 2 * math.prod(self.shape) * BYTES,
            inner=tuple(body.layers),
            function=activation,
        )

    def flatten(self) -> None:
        """Every value in one row, channel by channel."""
        self._add("flatten", (math.prod(self.shape),))

    def dense(self, outputs: int) -> None:
        """A matrix product and a bias, of a vector or of every step of a sequence."""
        *steps, inputs = self.shape
        flops = 2 * math.prod(steps) * inputs * outputs
        self._add("dense", (*steps, outputs), parameters=(inputs + 1) * outputs, flops=flops)

    def rows(self) -> None:
        """An image as a sequence, row by row from the top: (height, width, channels) -> (height, width * channels)."""
        height, width, channels = self.shape
        self._add("rows", (height, width * channels))

    def embedding(self, vocabulary: int, size: int) -> None:
        """A learned vector for each token id: (time) -> (time, size)."""
        (time,) = self.shape
        self._add("embedding", (time, size), parameters=vocabulary * size, vocabulary=vocabulary)

    def recurrent(self, cell: str, hidden: int, layers: int, bidirectional: bool, dropout: float) -> None:
        """All recurrent layers; ``dropout`` acts between them. Both directions' states are joined, forward first."""
        time, features = self.shape
        directions, gates = (2 if bidirectional else 1), GATES[cell]
        biases = 1 if cell == "elman" else 2  # the formula of the Elman cell has one b; GRU and LSTM have PyTorch's two
        parameters = flops = 0
        for depth in range(layers):
            inputs = features if depth == 0 else hidden * directions
            weights = gates * hidden * (inputs + hidden)
            parameters += directions * (weights + gates * hidden * biases)
            flops += directions * 2 * time * weights
        # kept a step: the state, and for the gated cells every gate and the cell's inner values
        kept = time * directions * hidden * layers * BYTES * (1 + (gates + 2 if gates > 1 else 0))
        self._add(
            cell,
            (time, hidden * directions),
            parameters=parameters,
            flops=flops,
            kept=kept,
            hidden=hidden,
            layers=layers,
            bidirectional=bidirectional,
            dropout=dropout,
        )

    def readout(self, kind: str, bidirectional: bool) -> None:
        """One vector of a sequence: the last state (of each direction), or the mean or maximum over time."""
        self._add(f"readout_{kind}", (self.shape[-1],), bidirectional=bidirectional)


def group_count(channels: int) -> int:
    """Groups of a group normalisation: the most that divide the channels, at least 4 channels each and at most 32."""
    most = min(32, max(1, channels // 4))
    return next(groups for groups in range(most, 0, -1) if channels % groups == 0)

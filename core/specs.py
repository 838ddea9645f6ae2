"""What a client asks for: the validated, frozen request models.

Strict on purpose: ``"1"`` is not a number and an unknown field is an error, so that a misspelt option never trains the
wrong network in silence. Whether the data can feed the network is the plan's question (:mod:`core.plan`).
"""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

NAME_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,63}$"

Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
DatasetRef = Annotated[
    str, StringConstraints(pattern=r"^([a-z0-9][a-z0-9._-]{0,63}(@[1-9][0-9]{0,8})?|ds_[0-9a-f]{32})$")
]
Ratio = Annotated[float, Field(ge=0, lt=1)]
PositiveFloat = Annotated[float, Field(gt=0, le=1e9, allow_inf_nan=False)]
Activation = Literal["relu", "leaky_relu", "gelu", "silu", "tanh"]
Device = Literal["auto", "cpu", "cuda"]


class Spec(BaseModel):
    """Base of every request model: strict types, no unknown fields, immutable."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class ConvStage(Spec):
    """One stage of a CNN: convolution, normalisation, activation, pooling, dropout, then residual blocks."""

    channels: int = Field(ge=1, le=4096)
    kernel: int = Field(default=3, ge=1, le=31)
    stride: int = Field(default=1, ge=1, le=8)
    padding: Literal["valid", "same"] = "valid"
    norm: Literal["none", "batch", "group"] = "none"
    activation: Activation = "relu"
    pool: Literal["none", "max", "average"] = "max"
    pool_size: int = Field(default=2, ge=2, le=8)
    dropout: Ratio = 0.0
    residual_blocks: int = Field(default=0, ge=0, le=32)

    @model_validator(mode="after")
    def _same_padding_is_possible(self) -> Self:
        if self.padding == "same" and (self.kernel % 2 == 0 or self.stride != 1):
            raise ValueError('padding "same" needs an odd kernel and stride 1')
        return self


def _seed_stages() -> list[ConvStage]:
    return [ConvStage(channels=32), ConvStage(channels=64)]


class Cnn(Spec):
    """A convolutional network; the default is the seed network (225,034 parameters at 28x28x1 and 10 classes)."""

    family: Literal["cnn"]
    stages: list[ConvStage] = Field(default_factory=_seed_stages, min_length=1, max_length=32)
    global_pool: Literal["none", "average", "max"] = "none"
    hidden: list[Annotated[int, Field(ge=1, le=65536)]] = Field(default=[128], max_length=8)
    activation: Activation = "relu"
    dropout: Ratio = 0.0


class Rnn(Spec):
    """A recurrent network; ``elman`` is h_t = tanh(W x_t + U h_(t-1) + b).

    It reads a series as it is, and an image row by row.
    """

    family: Literal["rnn"]
    cell: Literal["elman", "gru", "lstm"] = "elman"
    hidden: int = Field(default=128, ge=1, le=16384)
    layers: int = Field(default=1, ge=1, le=16)
    bidirectional: bool = False
    dropout: Ratio = 0.0
    readout: Literal["last", "mean", "max"] = "last"
    dense: list[Annotated[int, Field(ge=1, le=65536)]] = Field(default=[], max_length=8)
    activation: Activation = "relu"


Network = Annotated[Cnn | Rnn, Field(discriminator="family")]


class Data(Spec):
    """How samples are prepared; stored with the model, so that serving prepares them the same way."""

    resize: list[Annotated[int, Field(ge=1, le=4096)]] | None = Field(default=None, min_length=2, max_length=2)
    """[height, width] in pixels, bilinear; null keeps the data set's own size."""
    normalise: Literal["none", "unit", "standard"] = "standard"
    """none: raw; unit: pixels as 0-1; standard: zero mean and unit deviation over the training split."""
    validation: float = Field(default=0.1, gt=0, le=0.5)
    """Share of the training split held out, stratified by class and drawn by ``seed``."""


class Optimizer(Spec):
    """The update rule. ``gd`` is full-batch gradient descent. ``lr`` null means the rule's usual value."""

    name: Literal["gd", "sgd", "adam", "adamw", "rmsprop"] = "adam"
    lr: PositiveFloat | None = None
    momentum: Ratio = 0.0
    nesterov: bool = False
    betas: list[Ratio] = Field(default=[0.9, 0.999], min_length=2, max_length=2)
    eps: PositiveFloat = 1e-8
    weight_decay: float = Field(default=0.0, ge=0, le=1e3, allow_inf_nan=False)

    @property
    def learning_rate(self) -> float:
        """The peak learning rate that will be used."""
        usual = {"gd": 0.1, "sgd": 0.01, "adam": 0.001, "adamw": 0.001, "rmsprop": 0.001}
        return self.lr if self.lr is not None else usual[self.name]

    @model_validator(mode="after")
    def _options_belong_to_the_rule(self) -> Self:
        if self.momentum and self.name not in ("sgd", "rmsprop"):
            raise ValueError(f"momentum has no meaning for {self.name}; use sgd or rmsprop")
        if self.nesterov and (self.name != "sgd" or not self.momentum):
            raise ValueError("nesterov needs sgd with momentum > 0")
        # by value: a spec that was dumped and read back has every field set
        if self.betas != [0.9, 0.999] and self.name not in ("adam", "adamw"):
            raise ValueError(f"betas have no meaning for {self.name}; use adam or adamw")
        if self.eps != 1e-8 and self.name in ("gd", "sgd"):
            raise ValueError(f"eps has no meaning for {self.name}; leave it out")
        return self


class Schedule(Spec):
    """How the learning rate moves: linear warm-up first, then the named curve."""

    name: Literal["constant", "step", "cosine", "one_cycle"] = "constant"
    warmup_steps: int = Field(default=0, ge=0, le=10_000_000)
    step_epochs: int = Field(default=10, ge=1, le=1_000_000)
    gamma: float = Field(default=0.1, gt=0, le=1)
    final_ratio: float = Field(default=0.0, ge=0, le=1)

    @model_validator(mode="after")
    def _one_cycle_warms_by_itself(self) -> Self:
        if self.name == "one_cycle" and self.warmup_steps:
            raise ValueError("one_cycle has its own warm-up; leave warmup_steps at 0")
        return self


Monitor = Literal["validation_loss", "validation_accuracy"]


class EarlyStopping(Spec):
    """Stop when the monitored metric has not improved by ``min_delta`` for ``patience`` epochs."""

    patience: int = Field(default=5, ge=1, le=100_000)
    min_delta: float = Field(default=0.0, ge=0, le=1e6)


class Target(Spec):
    """Stop as soon as the metric reaches the value (loss: at or below; accuracy: at or above)."""

    metric: Monitor
    value: float = Field(allow_inf_nan=False)


class Hyperparameters(Spec):
    """How to train. One of epochs, steps and seconds ends the run; early_stopping and target may end it sooner."""

    epochs: int | None = Field(default=None, ge=1, le=1_000_000)
    steps: int | None = Field(default=None, ge=1, le=1_000_000_000)
    seconds: PositiveFloat | None = None
    batch_size: int | None = Field(default=None, ge=1, le=1_048_576)
    optimizer: Optimizer = Optimizer()
    schedule: Schedule = Schedule()
    accumulate: int = Field(default=1, ge=1, le=4096)
    clip_norm: PositiveFloat | None = None
    label_smoothing: Ratio = 0.0
    class_weights: Literal["balanced"] | list[PositiveFloat] | None = None
    early_stopping: EarlyStopping | None = None
    target: Target | None = None
    monitor: Monitor = "validation_accuracy"
    precision: Literal["fp32", "bf16"] = "fp32"
    log_every: int = Field(default=10, ge=1, le=1_000_000)
    """Training loss and accuracy are recorded every this many steps (by count, never by time)."""

    @model_validator(mode="after")
    def _choices_agree(self) -> Self:
        if sum(limit is not None for limit in (self.epochs, self.steps, self.seconds)) > 1:
            raise ValueError("give one of epochs, steps and seconds, not several")
        if self.optimizer.name == "gd" and self.batch_size is not None:
            raise ValueError("gd uses the whole training split in every step; leave batch_size out or use sgd")
        if self.optimizer.name == "gd" and self.accumulate != 1:
            raise ValueError("gd takes one step per pass over the data; leave accumulate at 1")
        if self.schedule.name in ("cosine", "one_cycle") and self.seconds is not None:
            raise ValueError(f"a {self.schedule.name} schedule needs a known end: use epochs or steps, not seconds")
        return self

    @property
    def epoch_limit(self) -> int | None:
        """Epochs to run; 10 when no limit was given, null when steps or seconds rule."""
        if self.epochs is None and self.steps is None and self.seconds is None:
            return 10
        return self.epochs

    @property
    def samples_per_batch(self) -> int | None:
        """Batch size; 64 when none was given, null for full-batch gradient descent."""
        if self.optimizer.name == "gd":
            return None
        return self.batch_size or 64


class TrainSpec(Spec):
    """Everything that decides what a training computes: network, data, hyperparameters and seed."""

    network: Network
    data: Data = Data()
    hyperparameters: Hyperparameters = Hyperparameters()
    seed: int = Field(default=0, ge=0, le=2**63 - 1)


NO_NUL = r"^[^\x00]*$"
"""PostgreSQL stores no NUL in text."""
METADATA_KEY = r"^[^\[\]\"\\\x00]{1,64}$"
"""Brackets, quotes and backslashes would make the filter ``metadata[key]=value`` ambiguous."""

MetadataKey = Annotated[str, StringConstraints(pattern=METADATA_KEY)]
MetadataValue = Annotated[str, StringConstraints(max_length=512, pattern=NO_NUL)]


class TrainJob(TrainSpec):
    """The body of ``POST /v1/jobs``: a training and how to run it."""

    kind: Literal["train"] = "train"
    dataset: DatasetRef
    model: Name | None = None
    device: Device = "auto"
    priority: int = Field(default=0, ge=-100, le=100)
    metadata: dict[MetadataKey, MetadataValue] = Field(default={}, max_length=16)
    checkpoint_seconds: float = Field(default=30.0, ge=0, le=86_400)
    max_attempts: int = Field(default=3, ge=1, le=100)
    timeout_seconds: PositiveFloat | None = None

    @property
    def training(self) -> TrainSpec:
        """The part that decides the weights."""
        return TrainSpec(network=self.network, data=self.data, hyperparameters=self.hyperparameters, seed=self.seed)

"""What decides the weights: data preparation, optimizer, schedule, when to stop."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from core.specs.augment import Augment
from core.specs.base import PositiveFloat, Ratio, Spec, Task
from core.specs.network import Network


class Data(Spec):
    """How samples are prepared; stored with the model, so that serving prepares them the same way."""

    resize: list[Annotated[int, Field(ge=1, le=4096)]] | None = Field(default=None, min_length=2, max_length=2)
    """[height, width] in pixels, bilinear; null keeps the data set's own size."""
    normalise: Literal["none", "unit", "standard", "recording", "window"] | None = None
    """none: raw; unit: pixels as 0-1; standard: zero mean and unit deviation over the training split; recording:
    the same, after the mean of each recording has been taken away from it, band by band (loudness and microphone then
    matter less); window: forecasts only, what is seen and what is foretold are differences to the last row seen. null:
    window for forecasts, standard for all else."""
    validation: float = Field(default=0.1, gt=0, le=0.5)
    """Share of the training split held out, stratified by class and drawn by ``seed``; of a forecast's table the last
    rows.

    Ignored where the data set has a validation split of its own. Of a corpus it is the last part.
    """
    window: int | None = Field(default=None, ge=1, le=65_536)
    """Forecasts: rows that the network sees; null: 96, or a quarter of the rows to train on where that is less.
    Corpora: tokens of one sample; null: 256, or a fortieth of the characters to train on where that is less."""
    horizon: int | None = Field(default=None, ge=1, le=65_536)
    """Forecasts: rows that it foretells; null: a quarter of the window."""
    season: int | None = Field(default=None, ge=1, le=65_536)
    """Forecasts: rows after which the series is about the same, 24 for hours of days. It changes what the forecast is
    compared with (the value one season earlier), not the training; null: 1, the last value seen."""
    tokens: Literal["char", "word", "byte"] = "char"
    """What a text is cut into. Words are runs of letters and digits, and every other sign but spaces by itself."""
    vocabulary: int | None = Field(default=None, ge=3, le=100_000)
    """Different tokens that the network tells apart, the most frequent of the training split, with the two ids of
    padding and unknown; null: 1,000 characters or 10,000 words (bytes are always 256)."""
    max_length: int | None = Field(default=None, ge=1, le=65_536)
    """Tokens of a text that are read; what is behind them is cut off, in training and in predictions. null: 512."""
    lowercase: bool = False
    """Texts are brought into lower case."""
    nfc: bool = True
    """Texts are brought into Unicode's composed form (NFC), so that an accent is written one way."""

    mels: int = Field(default=40, ge=1, le=256)
    """Numbers of each frame of a recording: the logarithm of its power in so many bands, equally wide to the ear."""
    window_ms: float = Field(default=25.0, ge=1, le=1000)
    """What of a recording goes into one frame."""
    hop_ms: float = Field(default=10.0, ge=1, le=1000)
    """From the beginning of a frame to that of the next one."""
    max_seconds: float | None = Field(default=None, gt=0, le=600)
    """How much of a recording is read; what is behind is cut off, in training and in predictions. A cnn reads exactly
    so much, with silence behind shorter recordings; null: the longest of the data set, but at most 2 seconds. null for
    an rnn: all."""

    augment: Augment | None = None
    """Random changes of the training samples; serving makes none."""

    @model_validator(mode="after")
    def _bytes_need_no_vocabulary(self) -> Self:
        if self.tokens == "byte" and self.vocabulary is not None:
            raise ValueError("vocabulary has no meaning for bytes, of which there are 256; leave it out")
        return self

    def normalisation(self, task: Task) -> str:
        """What ``normalise`` asks for, or the task's own choice."""
        return self.normalise or ("window" if task == "forecast" else "standard")

    @property
    def vocabulary_size(self) -> int:
        """The most token ids that there will be."""
        usual = {"char": 1_000, "word": 10_000, "byte": 258}
        return self.vocabulary if self.vocabulary is not None else usual[self.tokens]

    @property
    def text_length(self) -> int:
        """The most tokens of a text that are read."""
        return self.max_length or 512


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


Monitor = Literal[
    "validation_loss", "validation_accuracy", "validation_mae", "validation_rmse", "validation_perplexity"
]


class EarlyStopping(Spec):
    """Stop when the monitored metric has not improved by ``min_delta`` for ``patience`` epochs."""

    patience: int = Field(default=5, ge=1, le=100_000)
    min_delta: float = Field(default=0.0, ge=0, le=1e6)


class Target(Spec):
    """Stop as soon as the metric reaches the value (accuracy: at or above; all others: at or below)."""

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
    loss: Literal["mse", "mae", "huber"] | None = None
    """Regression and forecasts: squared, absolute, or both (Huber, from 1 deviation on absolute) differences; null:
    mse. Of classes it is always the cross-entropy."""
    label_smoothing: Ratio = 0.0
    class_weights: Literal["balanced"] | list[PositiveFloat] | None = None
    early_stopping: EarlyStopping | None = None
    target: Target | None = None
    monitor: Monitor | None = None
    """What decides which weights are the best; null: validation_accuracy of classes, validation_loss of all else."""
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

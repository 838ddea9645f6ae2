"""The two families of network."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from core.specs.base import Ratio, Spec

Activation = Literal["relu", "leaky_relu", "gelu", "silu", "tanh"]


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


class _Network(Spec):
    embedding: int | None = Field(default=None, ge=1, le=4096)
    """Texts: the numbers that stand for a token; null: 64."""

    @property
    def embedding_size(self) -> int:
        """The numbers that stand for a token of a text."""
        return self.embedding or 64


class Cnn(_Network):
    """A convolutional network; the default is the seed network (225,034 parameters at 28x28x1 and 10 classes).

    It goes over images and recordings along two axes, and over series and the tokens of texts along time.
    """

    family: Literal["cnn"]
    stages: list[ConvStage] = Field(default_factory=_seed_stages, min_length=1, max_length=32)
    global_pool: Literal["none", "average", "max"] = "none"
    """One number a channel, wherever it was found; what varies in length needs one of the two."""
    hidden: list[Annotated[int, Field(ge=1, le=65536)]] = Field(default=[128], max_length=8)
    activation: Activation = "relu"
    dropout: Ratio = 0.0


class Rnn(_Network):
    """A recurrent network; ``elman`` is h_t = tanh(W x_t + U h_(t-1) + b).

    It reads a series as it is, an image row by row, and a text token by token.
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

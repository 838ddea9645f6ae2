"""From a network's fields to its layers: one function a family, registered by name."""

from collections.abc import Callable

from core.plan_audio import frames
from core.plan_language import window
from core.plan_layers import MONOTONE, PlanError, Sample, Sequence, Shape
from core.specs import Cnn, ConvStage, Network, Rnn, Task, TrainSpec

Layout = Callable[[Network, Shape, int, int, Task], Sequence]
"""(network, input shape, numbers the head gives, token ids, task) -> its layers; token ids is 0 where none are."""
FAMILIES: dict[str, Layout] = {}


def family(name: str) -> Callable[[Layout], Layout]:
    """Register the function that lays out the networks of a family."""

    def register(layout: Layout) -> Layout:
        FAMILIES[name] = layout
        return layout

    return register


def network_input(sample: Sample, spec: TrainSpec) -> Shape:
    """The shape of one sample after preprocessing; of what varies in length, the longest that may come."""
    data = spec.data
    if sample.kind == "text":
        bytes_a_character = 4 if data.tokens == "byte" else 1
        most = data.text_length if sample.lengths is None else bytes_a_character * max(1, sample.lengths[1])
        return (min(data.text_length, most),)
    if sample.kind == "corpus":
        assert sample.characters is not None
        return (window(data, sample.characters),)
    if data.resize is not None and sample.kind != "image":
        raise PlanError("#/data/resize", "only images can be resized; leave resize out")
    if sample.kind == "audio":
        assert sample.lengths is not None
        how = frames(spec, sample)
        count = how.count(sample.lengths[1])
        return (count, how.mels, 1) if how.fixed else (count, how.mels)
    if data.resize is None:
        return sample.shape
    return (data.resize[0], data.resize[1], sample.shape[2])


@family("cnn")
def cnn(network: Network, shape: Shape, outputs: int, vocabulary: int, task: Task) -> Sequence:
    """Stages of convolution over an image, a series or embedded tokens; a global pool or none; then dense layers."""
    assert isinstance(network, Cnn)
    layers = _first(network, shape, vocabulary)
    for index, stage in enumerate(network.stages):
        _stage(layers, stage, f"#/network/stages/{index}")
    if network.global_pool != "none":
        layers.global_pool(network.global_pool)
    layers.flatten()
    if not network.hidden:
        layers.dropout(network.dropout)
    _head(layers, network.hidden, network.activation, network.dropout, outputs)
    return layers


@family("rnn")
def rnn(network: Network, shape: Shape, outputs: int, vocabulary: int, task: Task) -> Sequence:
    """Recurrent layers over a sequence, an image's rows, or a text's embedded tokens; a readout, then dense layers.

    A language model has no readout: its dense layers act at every step.
    """
    assert isinstance(network, Rnn)
    layers = _first(network, shape, vocabulary)
    if len(shape) == 3:
        layers.rows()
    layers.recurrent(network.cell, network.hidden, network.layers, network.bidirectional, network.dropout)
    if task != "language":
        layers.readout(network.readout, network.bidirectional)
    layers.dropout(network.dropout)
    _head(layers, network.dense, network.activation, network.dropout, outputs)
    return layers


def _first(network: Network, shape: Shape, vocabulary: int) -> Sequence:
    """What a network begins with: the tokens of a text are embedded, all else is read as it is."""
    layers = Sequence(shape)
    if vocabulary:
        layers.embedding(vocabulary, network.embedding_size)
    elif network.embedding is not None:
        raise PlanError("#/network/embedding", "only the tokens of texts are embedded; leave embedding out")
    return layers


def _head(layers: Sequence, hidden: list[int], activation: str, dropout: float, outputs: int) -> None:
    for width in hidden:
        layers.dense(width)
        layers.activation(activation)
        layers.dropout(dropout)
    layers.dense(outputs)


def _stage(layers: Sequence, stage: ConvStage, pointer: str) -> None:
    padding = (stage.kernel - 1) // 2 if stage.padding == "same" else 0
    side = min(layers.shape[:-1])
    if stage.kernel > side + 2 * padding:
        raise PlanError(
            f"{pointer}/kernel",
            f"a kernel of {stage.kernel} does not fit into the {_size(layers.shape)} before this stage; "
            f'use a smaller kernel or padding "same", or pool less before it',
        )
    # A bias before a normalisation would be taken away again by it.
    layers.conv(stage.channels, stage.kernel, stage.stride, padding, bias=stage.norm == "none")
    if stage.norm != "none":
        layers.norm(stage.norm)
    # max-pool first where the result is the same: the activation then works on a fraction of the values
    activation_last = stage.pool == "max" and stage.activation in MONOTONE
    if not activation_last:
        layers.activation(stage.activation)
    if stage.pool != "none":
        if stage.pool_size > min(layers.shape[:-1]):
            raise PlanError(
                f"{pointer}/pool_size",
                f"a pool of {stage.pool_size} does not fit into the {_size(layers.shape)} behind the convolution; "
                f'use a smaller pool_size or pool "none"',
            )
        layers.pool(stage.pool, stage.pool_size)
    if activation_last:
        layers.activation(stage.activation)
    layers.dropout(stage.dropout)
    for _ in range(stage.residual_blocks):
        layers.residual(stage.norm, stage.activation)


def _size(shape: Shape) -> str:
    if len(shape) == 3:
        return f"{shape[0]}x{shape[1]} map"
    return f"{shape[0]} step{'s' if shape[0] > 1 else ''}"

"""The plan against torch on the meta device, and its refusals."""

import json
import warnings
from typing import Any

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from core.plan import Layer, PlanError, Sample, make
from core.specs import TrainSpec
from models.networks import build

ACTIVATIONS = st.sampled_from(["relu", "leaky_relu", "gelu", "silu", "tanh"])
RATIOS = st.sampled_from([0.0, 0.3])
WIDTHS = st.lists(st.integers(1, 20), max_size=2)
STAGES = st.fixed_dictionaries(
    {
        "channels": st.integers(1, 40),
        "kernel": st.integers(1, 5),
        "stride": st.integers(1, 3),
        "norm": st.sampled_from(["none", "batch", "group"]),
        "activation": ACTIVATIONS,
        "pool": st.sampled_from(["none", "max", "average"]),
        "pool_size": st.integers(2, 3),
        "dropout": RATIOS,
        "residual_blocks": st.integers(0, 2),
    }
) | st.fixed_dictionaries(
    {"channels": st.integers(1, 8), "kernel": st.sampled_from([1, 3, 5]), "padding": st.just("same")}
)
CNNS = st.fixed_dictionaries(
    {
        "family": st.just("cnn"),
        "stages": st.lists(STAGES, min_size=1, max_size=3),
        "global_pool": st.sampled_from(["none", "average", "max"]),
        "hidden": WIDTHS,
        "activation": ACTIVATIONS,
        "dropout": RATIOS,
    }
)
RNNS = st.fixed_dictionaries(
    {
        "family": st.just("rnn"),
        "cell": st.sampled_from(["elman", "gru", "lstm"]),
        "hidden": st.integers(1, 20),
        "layers": st.integers(1, 3),
        "bidirectional": st.booleans(),
        "dropout": RATIOS,
        "readout": st.sampled_from(["last", "mean", "max"]),
        "dense": WIDTHS,
        "activation": ACTIVATIONS,
    }
)
SAMPLES = st.builds(
    lambda height, width, channels, classes: Sample("image", (height, width, channels), classes),
    st.integers(1, 24),
    st.integers(1, 40),
    st.sampled_from([1, 3]),
    st.integers(2, 12),
)
SERIES = st.builds(
    lambda time, features, classes: Sample("series", (time, features), classes),
    st.integers(1, 30),
    st.integers(1, 9),
    st.integers(2, 12),
)


def spec_of(network: dict[str, Any], **fields: Any) -> TrainSpec:
    return TrainSpec.model_validate({"network": network, **fields})


@settings(max_examples=80, deadline=None)
@given(pair=st.tuples(CNNS | RNNS, SAMPLES | SERIES))
def test_plan_agrees_with_torch(pair: tuple[dict[str, Any], Sample]) -> None:
    network, sample = pair
    try:
        plan = make(spec_of(network), sample)
    except PlanError:
        assume(False)
    batch = 3
    shapes: dict[str, tuple[int, ...]] = {}
    with torch.device("meta"):
        module = build(plan).eval()
        for name, child in module.named_modules():
            child.register_forward_hook(lambda _m, _i, output, name=name: shapes.update({name: tuple(output.shape)}))
        with warnings.catch_warnings():
            # torch's counter warns about autograd's own bookkeeping of modules; only its sums are of interest
            warnings.simplefilter("ignore", UserWarning)
            with FlopCounterMode(display=False, custom_mapping={torch.ops.aten.addmm_: in_place_flops}) as counter:
                logits = module(torch.empty((batch, *plan.input)))
    assert logits.shape == (batch, plan.outputs)
    assert sum(parameter.numel() for parameter in module.parameters()) == plan.parameters
    assert counter.get_total_flops() == batch * plan.flops
    for layer in (part for outer in plan.layers for part in (outer, *outer.inner)):
        assert shapes[layer.name] == (batch, *as_torch(layer)), layer
        assert sum(p.numel() for p in module.get_submodule(layer.name).parameters()) == layer.parameters


def in_place_flops(total: Any, left: Any, right: Any, **_: Any) -> int:
    """The Elman layer multiplies in place, which torch's counter does not know."""
    return int(2 * left[0] * left[1] * right[1])


def as_torch(layer: Layer) -> tuple[int, ...]:
    """Plans say (height, width, channels), torch's modules (channels, height, width); a series is one row to them."""
    if len(layer.output) == 1 or layer.kind in ("rows", "elman", "gru", "lstm"):
        return layer.output
    *sides, channels = layer.output
    return channels, *([1] if len(sides) == 1 else []), *sides


@settings(max_examples=60, deadline=None)
@given(network=CNNS, sample=SAMPLES | SERIES)
def test_what_the_plan_refuses_torch_cannot_run(network: dict[str, Any], sample: Sample) -> None:
    try:
        make(spec_of(network), sample)
    except PlanError as error:
        where = error.pointer.split("/")
        assert where[:3] == ["#", "network", "stages"] and where[4] in ("kernel", "pool_size")
        short = network | {"stages": network["stages"][: int(where[3])]}
        reached = make(spec_of(short), sample).layers if short["stages"] else ()
        maps = [layer.output for layer in reached if len(layer.output) == len(sample.shape)]
        # the map before a global pool, or the sample itself when the first stage is at fault
        sides = (maps[-2] if network["global_pool"] != "none" else maps[-1])[:-1] if maps else sample.shape[:-1]
        flat = len(sides) == 1
        assert ("resize" in error.message) != flat
        stage = network["stages"][int(where[3])]
        with pytest.raises(RuntimeError), torch.device("meta"):
            padding = stage["kernel"] // 2 if stage.get("padding") == "same" else 0
            kind = torch.nn.Conv1d if flat else torch.nn.Conv2d
            convolved = kind(1, 1, stage["kernel"], stage.get("stride", 1), padding)(torch.empty(1, 1, *sides))
            pool = torch.nn.functional.max_pool1d if flat else torch.nn.functional.max_pool2d
            pool(convolved, stage.get("pool_size", 2))


def test_the_default_cnn_is_the_seed_network() -> None:
    plan = make(spec_of({"family": "cnn"}, data={"resize": [28, 28]}), Sample("image", (8, 8, 1), 10))
    assert plan.parameters == 225_034
    assert [layer.kind for layer in plan.layers] == [
        *("conv", "max_pool", "activation", "conv", "max_pool", "activation"),
        *("flatten", "dense", "activation", "dense"),
    ]
    assert [layer.output for layer in plan.layers if layer.kind == "max_pool"] == [(13, 13, 32), (5, 5, 64)]


def test_an_activation_goes_behind_the_pool_only_where_that_changes_nothing() -> None:
    def kinds(activation: str, pool: str) -> list[str]:
        network = {"family": "cnn", "stages": [{"channels": 2, "activation": activation, "pool": pool}]}
        return [layer.kind for layer in make(spec_of(network), Sample("image", (8, 8, 1), 2)).layers[1:3]]

    assert kinds("relu", "max") == ["max_pool", "activation"]
    assert kinds("gelu", "max") == ["activation", "max_pool"]
    assert kinds("relu", "average") == ["activation", "average_pool"]


@pytest.mark.parametrize(
    ("body", "pointer", "says"),
    [
        ({"network": {"family": "cnn"}}, "#/network/stages/1/pool_size", '"data": {"resize": [28, 28]}'),
        ({"network": {"family": "cnn", "stages": [{"channels": 4, "kernel": 9}]}}, "#/network/stages/0/kernel", "8x8"),
        (
            {"network": {"family": "rnn"}, "hyperparameters": {"class_weights": [1.0, 2.0]}},
            "#/hyperparameters/class_weights",
            "10 classes",
        ),
        (
            {"network": {"family": "cnn", "stages": [{"channels": 1, "pool": "none"}], "hidden": [65536] * 8}},
            None,
            None,
        ),
        (
            {
                "network": {"family": "cnn", "stages": [{"channels": 4096, "pool": "none"}], "hidden": [65536]},
                "data": {"resize": [4096, 4096]},
            },
            "#/network",
            "smaller",
        ),
        (
            {
                "network": {"family": "cnn", "stages": [{"channels": 4, "kernel": 8, "norm": "batch", "pool": "none"}]},
                "hyperparameters": {"batch_size": 1},
            },
            "#/hyperparameters/batch_size",
            "at least 2",
        ),
    ],
)
def test_refusals_point_at_the_field_and_say_what_to_do(
    body: dict[str, Any], pointer: str | None, says: str | None
) -> None:
    spec, sample = TrainSpec.model_validate(body), Sample("image", (8, 8, 1), 10)
    if pointer is None:  # large, and still a network: whether it fits a machine is not the plan's question
        assert make(spec, sample).parameters > 10**10
        return
    with pytest.raises(PlanError) as caught:
        make(spec, sample)
    assert caught.value.pointer == pointer
    assert says is not None and says in caught.value.message


DIGITS = Sample("image", (8, 8, 1), 10)


def test_one_class_cannot_be_told_apart() -> None:
    with pytest.raises(PlanError) as caught:
        make(spec_of({"family": "rnn"}), Sample("image", (8, 8, 1), 1))
    assert caught.value.pointer == "#/dataset"


def test_the_plan_as_json_has_its_layers() -> None:
    network = {"family": "cnn", "stages": [{"channels": 4, "residual_blocks": 1}]}
    table = make(spec_of(network), Sample("image", (8, 8, 1), 3)).as_dict()
    assert table["parameters"] == sum(layer["parameters"] for layer in table["layers"])
    (block,) = [layer for layer in table["layers"] if layer["kind"] == "residual"]
    assert [part["name"] for part in block["inner"]] == ["3.body.0", "3.body.1", "3.body.2"]


def test_the_size_that_a_refusal_names_can_be_built() -> None:
    """And a client that reads pointers finds the field to fill in."""
    for stages in ([{"channels": 4}] * 2, [{"channels": 4}] * 4, [{"channels": 4, "kernel": 31}]):
        network = {"family": "cnn", "stages": stages}
        with pytest.raises(PlanError) as refused:
            make(spec_of(network), DIGITS)
        pointer, sentence = refused.value.errors[1]
        assert pointer == "#/data/resize"
        size = json.loads("{" + sentence.partition(": ")[2] + "}")
        make(TrainSpec.model_validate({"network": network, **size}), DIGITS)
    with pytest.raises(PlanError) as refused:  # no usual size does
        make(spec_of({"family": "cnn", "stages": [{"channels": 4}] * 16}), DIGITS)
    assert len(refused.value.errors) == 1 and "resize" not in refused.value.message

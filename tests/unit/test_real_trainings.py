"""The public sets that no example trains: each is uploaded as it lies there, and learnt by both families."""

from pathlib import Path
from typing import Any

import pytest
from ingesting import ingested_files

from core.ingest import Upload
from core.specs import TrainSpec
from models.data.splits import load
from models.events import Finished
from models.export import export, verify
from models.networks import build
from models.training import fit

pytestmark = pytest.mark.sets
DATA = Path(__file__).parents[3] / "shared" / "data"
CNN: dict[str, Any] = {"family": "cnn", "stages": [{"channels": 16, "kernel": 3}], "global_pool": "max", "hidden": []}
RNN: dict[str, Any] = {"family": "rnn", "cell": "gru", "hidden": 16, "readout": "max"}
RULES = {"batch_size": 32, "optimizer": {"lr": 0.01}, "steps": 60}


@pytest.mark.parametrize("network", [CNN, RNN], ids=["cnn", "rnn"])
@pytest.mark.parametrize(
    ("name", "data", "score", "least"),
    [
        ("gunpoint", {}, "accuracy", 0.6),
        ("sms-spam", {"tokens": "word", "max_length": 40}, "accuracy", 0.9),
        ("airline-passengers", {"window": 24, "horizon": 6, "season": 12}, "r2", None),
    ],
)
def test_a_set_without_an_example_is_learnt(
    name: str, data: dict[str, Any], score: str, least: float | None, network: dict[str, Any], tmp_path: Path
) -> None:
    if not (DATA / name).is_dir():
        pytest.skip(f"needs the data set {name} in {DATA.name}/ beside the checkout")
    ingested_files([Upload(path.name, path) for path in sorted((DATA / name).iterdir())], tmp_path)
    dataset = load(tmp_path / "output" / "data.safetensors")
    spec = TrainSpec.model_validate({"network": network, "data": data, "hyperparameters": RULES})
    *_, end = fit(spec, dataset, threads=1)
    assert isinstance(end, Finished)
    if least is None:
        assert end.baseline is not None and end.test["mase"] is not None
        assert end.test["mase"] < 3 * end.baseline["mase"]
    else:
        found = end.test[score]
        assert found is not None and found >= least
    module = build(end.plan)
    module.load_state_dict(end.best.weights)
    assert verify(export(end.plan, end.best.weights), module, end.plan) is None

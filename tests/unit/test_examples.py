"""The examples, on the real sets as they lie beside the checkout, reach the accuracy that they are for."""

from pathlib import Path

import pytest
from ingesting import ingested_files

from core.ingest import Upload
from core.specs import TrainJob
from models.data.splits import load
from models.events import Finished
from models.export import export, verify
from models.networks import build
from models.training import fit

EXAMPLES = Path(__file__).parents[2] / "examples"
DATA = Path(__file__).parents[3] / "shared" / "data"
UNKNOWN_SPEAKERS = {"pattern": "{label}_{rest}", "test_pattern": "*_[ty]*"}  # theo and yweweler


@pytest.mark.sets
@pytest.mark.parametrize(
    ("example", "options", "goal"),
    [
        ("japanese-vowels", {}, 0.95),
        ("ecg5000", {}, 0.93),
        ("rt-polarity", {}, 0.74),
        ("spoken-digits-rnn", UNKNOWN_SPEAKERS, 0.8),
        ("spoken-digits-cnn", UNKNOWN_SPEAKERS, 0.8),
    ],
)
def test_an_example_reaches_its_accuracy(example: str, options: dict[str, str], goal: float, tmp_path: Path) -> None:
    job = TrainJob.model_validate_json((EXAMPLES / f"{example}.json").read_text())
    files = DATA / job.dataset
    if not files.is_dir():
        pytest.skip(f"the data set {job.dataset} is not in {DATA}")
    ingested_files([Upload(path.name, path) for path in sorted(files.iterdir())], tmp_path, **options)
    *_, end = fit(job.training, load(tmp_path / "output" / "data.safetensors"), threads=1)
    assert isinstance(end, Finished)
    assert end.test["accuracy"] >= goal
    network = build(end.plan)
    network.load_state_dict(end.best.weights)
    assert verify(export(end.plan, end.best.weights), network, end.plan) is None


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.json")), ids=lambda path: path.name)
def test_an_example_is_a_job_and_named_after_its_set(path: Path) -> None:
    assert path.stem.startswith(TrainJob.model_validate_json(path.read_text()).dataset)

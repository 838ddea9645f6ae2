"""The examples, on the real sets as they lie beside the checkout, reach the accuracy that they are for."""

from pathlib import Path

import pytest
from ingesting import ingested_files

from benchmarks.choices import CANDIDATES, candidate
from benchmarks.real_sets import REAL_SETS
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


@pytest.mark.sets
def test_the_forecast_is_better_than_the_naive_one(tmp_path: Path) -> None:
    job = TrainJob.model_validate_json((EXAMPLES / "etth1.json").read_text())
    table = DATA / "ett" / "ETTh1.csv"
    if not table.is_file():
        pytest.skip(f"the data set ett is not in {DATA}")
    ingested_files([Upload(table.name, table)], tmp_path, target="OT")
    *_, end = fit(job.training, load(tmp_path / "output" / "data.safetensors"), threads=1)
    assert isinstance(end, Finished) and end.baseline is not None and end.test["mase"] is not None
    assert end.test["rmse"] < 0.85 * end.baseline["rmse"] and end.test["mase"] < 0.85 * end.baseline["mase"]
    network = build(end.plan)
    network.load_state_dict(end.best.weights)
    assert verify(export(end.plan, end.best.weights), network, end.plan) is None


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.json")), ids=lambda path: path.name)
def test_an_example_is_a_job_and_named_after_its_set(path: Path) -> None:
    assert path.stem.startswith(TrainJob.model_validate_json(path.read_text()).dataset)


@pytest.mark.parametrize("name", CANDIDATES)
def test_an_example_is_one_of_the_jobs_that_it_was_chosen_from(name: str) -> None:
    tried = {candidate(REAL_SETS[name], changes).model_dump_json() for changes in CANDIDATES[name]}
    assert len(tried) == len(CANDIDATES[name])
    assert TrainJob.model_validate(REAL_SETS[name].job).model_dump_json() in tried

"""A training whose graph does not answer as torch does: the job succeeds, and its version says why it is not ready."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from core import blobs
from core.specs import TrainJob
from models.data.splits import load
from models.events import Finished
from models.training import fit
from workers.recorder import Recorder
from workers.train import finish


def test_a_version_that_fails_its_check_is_there_with_the_reason(api: Any, tmp_path: Path) -> None:
    job = api.submit(model="unlike", hyperparameters={"steps": 2})
    claim = api.player.claim()
    path = tmp_path / "digits.safetensors"
    path.write_bytes(b"".join(blobs.read(api.database, claim.dataset_sha256)))
    dataset = load(path)
    *_, ended = fit(TrainJob.model_validate(claim.spec).training, dataset, threads=1)
    assert isinstance(ended, Finished)
    weights = {name: value * float("nan") for name, value in ended.best.weights.items()}
    message = finish(replace(ended, best=replace(ended.best, weights=weights)), dataset, tmp_path)

    recorder = Recorder(api.database, claim, lambda: None)
    recorder.put({"type": "finished", **message})
    recorder.close(lambda: False)
    assert recorder.succeeded

    assert api.http.get(f"/v1/jobs/{job['id']}").json()["status"] == "succeeded"
    version = api.http.get("/v1/models/unlike/versions/1").json()
    assert version["ready"] is False and "differ by nan" in version["reason"]
    refused = api.http.post("/v1/models/unlike:1:predict", json={"inputs": [[[0] * 8] * 8]})
    assert refused.status_code == 409 and "differ by nan" in refused.json()["detail"]
    assert api.http.get("/v1/models/unlike/versions/1/onnx").status_code == 409

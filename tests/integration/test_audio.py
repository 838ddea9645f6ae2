"""Recordings on both databases: from the archive to the answer about a WAV file."""

import io
import json
import wave
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from recordings import PITCHES, encoded, tone, zipped
from stack import Stack
from uploaded import put

from epochd import Client
from epochd.cli import main

NETWORKS: dict[str, dict[str, Any]] = {
    "rnn": {"family": "rnn", "hidden": 16, "readout": "mean"},
    "cnn": {"family": "cnn", "stages": [{"channels": 6, "norm": "batch"}, {"channels": 12}], "hidden": []},
}


@pytest.fixture
def recordings(service: Stack) -> dict[str, Any]:
    """The dataset ``tones``, of which a third is the test split."""
    options = {"filename": "tones.zip", "pattern": "{label}_{rest}", "test_pattern": "*_?.wav"}
    ended = service.ended(put(service, "tones", zipped(30), **options)["id"])
    assert ended["status"] == "succeeded", ended["error"]
    dataset: dict[str, Any] = service.http.get("/v1/datasets/tones").json()
    return dataset


def test_recordings_are_heard_listed_learnt_and_predicted(
    service: Stack,
    recordings: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    http = service.http
    assert (recordings["kind"], recordings["shape"], recordings["rate"]) == ("audio", [], 8000)
    assert recordings["splits"] == {"train": 60, "test": 30}
    listed = http.get("/v1/datasets/tones/samples", params={"limit": 30}).json()["data"]
    files = [http.get(f"/v1/datasets/tones/samples/{one['index']}/audio") for one in listed]
    for sample, file in zip(listed, files, strict=True):
        assert file.headers["Content-Type"] == "audio/wav"
        with wave.open(io.BytesIO(file.content)) as opened:
            assert (opened.getframerate(), opened.getnchannels(), opened.getsampwidth()) == (8000, 1, 2)
            assert sample["values"] is None and sample["seconds"] == opened.getnframes() / 8000
    high = tone(PITCHES["high"], 200)
    assert listed[0]["label"] == "high" and files[0].content[44:] == high.tobytes()
    assert http.get("/v1/datasets/tones/samples/30/audio").status_code == 404
    assert http.get("/v1/datasets/digits/samples/0/audio").status_code == 404
    assert http.get("/v1/datasets/tones/samples/0/image").status_code == 404
    tag = {"If-None-Match": files[0].headers["ETag"]}
    assert http.get("/v1/datasets/tones/samples/0/audio", headers=tag).status_code == 304

    for family, network in NETWORKS.items():
        rules = {"epochs": 12, "batch_size": 16, "optimizer": {"lr": 0.005}}
        job = service.ended(
            service.submit({"dataset": "tones", "model": family, "network": network, "hyperparameters": rules})
        )
        assert job["status"] == "succeeded", job["error"]
        assert job["result"]["test"]["accuracy"] >= 0.9
        path = f"/v1/models/{family}:predict"
        guesses = []
        for file in files:
            answer = http.post(path, content=file.content, headers={"Content-Type": "audio/wav"})
            guesses.append(answer.json()["predictions"][0])
        matrix = Counter((one["label"], guess["class"]) for one, guess in zip(listed, guesses, strict=True))
        classes = recordings["classes"]
        assert [[matrix[a, b] for b in classes] for a in classes] == job["result"]["confusion_matrix"]

        rows = [np.frombuffer(file.content[44:], "<i2").tolist() for file in files]
        together = http.post(path, json={"inputs": rows}).json()["predictions"]
        for one, other in zip(guesses, together, strict=True):
            assert one["probabilities"] == pytest.approx(other["probabilities"], abs=1e-5)

        signal = (np.array(rows[0]) / 32_768).astype("<f4").tobytes()
        bare = http.post(path, content=signal, headers={"Content-Type": "application/octet-stream"})
        assert bare.json()["predictions"] == guesses[:1]

        url = f"/v1/models/{family}:explain?segments=5&method="
        seconds = listed[0]["seconds"]
        for method, gap in (("kernel_shap", 1e-6), ("integrated_gradients", 0.02)):
            headers = {"Content-Type": "audio/wav", "Prefer": "wait=60"}
            answer = http.post(url + method, content=files[0].content, headers=headers, timeout=90)
            why = answer.json()
            assert (answer.status_code, why["target"], why["baseline"]) == (200, guesses[0]["class"], "silence")
            assert [one["end"] for one in why["players"]] == pytest.approx(
                [seconds * (part + 1) / 5 for part in range(5)], abs=1 / 8000
            )
            assert abs(why["additivity_gap"]) < gap
            assert why["output"] == pytest.approx(guesses[0]["probability"], abs=1e-5)

        other_rate = encoded(np.stack([tone(900, 1, 22_050)] * 2, 1), 22_050, "FLAC")
        answer = http.post(path, content=other_rate, headers={"Content-Type": "audio/flac"})
        assert answer.json()["predictions"][0]["class"] == "middle"
        cut = http.post(path, content=files[0].content[:-10], headers={"Content-Type": "audio/wav"})
        assert cut.status_code == 422 and "cut off" in cut.json()["detail"]
        assert http.post(path, content=b"x", headers={"Content-Type": "image/png"}).status_code == 415
        wrong = http.post(path, json={"inputs": [[1, 2], [1.5]]})
        assert wrong.status_code == 422 and wrong.json()["errors"][0]["pointer"] == "#/inputs/1"

    (tmp_path / "it.wav").write_bytes(files[0].content)
    with Client(service.url) as client:
        for given in (files[0].content, tmp_path / "it.wav"):
            assert client.predict("cnn", audio=given)["predictions"][0] == guesses[0]
        monkeypatch.setenv("EPOCHD_URL", service.url)
        capsys.readouterr()
        assert main(["predict", "cnn", str(tmp_path / "it.wav"), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["predictions"][0] == guesses[0]
        assert main(["explain", "cnn", str(tmp_path / "it.wav"), "--segments", "3", "--method", "lime"]) == 0
        told = capsys.readouterr()
        assert f"cnn version 1: {guesses[0]['class']} " in told.err
        assert len(told.out.splitlines()) == 3 and "0 to 0." in told.out
        svg = tmp_path / "why.svg"
        assert main(["explain", "cnn", str(tmp_path / "it.wav"), "--picture", str(svg), "--json"]) == 0
        assert svg.read_text().startswith("<svg")
        capsys.readouterr()
        assert main(["datasets", "show", "tones"]) == 0
        assert "tones@1: audio, 0.10-0.30 s at 8,000 Hz" in capsys.readouterr().out
        with pytest.raises(ValueError, match="not a WAV"):
            client.predict("cnn", audio=b"?")

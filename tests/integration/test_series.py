"""Sequences of numbers, from the job to the prediction, through every real part."""

from typing import Any


def test_an_elman_network_learns_sequences_and_answers(system: Any) -> None:
    spec = {
        "dataset": "digits-rows",
        "model": "rows",
        "network": {"family": "rnn", "cell": "elman"},
        "hyperparameters": {"epochs": 20, "optimizer": {"lr": 0.003}},
    }
    job = system.ended(system.submit(spec))
    assert job["status"] == "succeeded", job["error"]
    assert [layer["kind"] for layer in job["layers"]] == ["elman", "readout_last", "dense"]
    assert job["result"]["test"]["accuracy"] >= 0.93
    samples = system.http.get("/v1/datasets/digits-rows/samples", params={"limit": 100}).json()["data"]
    body = {"inputs": [sample["values"] for sample in samples]}
    answers = system.http.post("/v1/models/rows:predict", json=body).json()["predictions"]
    right = sum(answer["class"] == sample["label"] for answer, sample in zip(answers, samples, strict=True))
    assert right >= 90

"""Sequences of numbers, from the job to the prediction, through every real part."""

from typing import Any

import pytest


@pytest.mark.parametrize(
    ("network", "layers"),
    [
        ({"family": "rnn", "cell": "elman"}, ["elman", "readout_last", "dense"]),
        (
            {"family": "cnn", "stages": [{"channels": 32, "padding": "same", "pool": "none"}], "hidden": []},
            ["conv", "activation", "flatten", "dense"],
        ),
    ],
    ids=["rnn", "cnn"],
)
def test_a_network_learns_sequences_and_answers(system: Any, network: dict[str, Any], layers: list[str]) -> None:
    spec = {
        "dataset": "digits-rows",
        "model": "rows",
        "network": network,
        "hyperparameters": {"epochs": 20, "optimizer": {"lr": 0.003}},
    }
    job = system.ended(system.submit(spec))
    assert job["status"] == "succeeded", job["error"]
    assert [layer["kind"] for layer in job["layers"]] == layers
    assert job["result"]["test"]["accuracy"] >= 0.93
    samples = system.http.get("/v1/datasets/digits-rows/samples", params={"limit": 100}).json()["data"]
    body = {"inputs": [sample["values"] for sample in samples]}
    answers = system.http.post(f"/v1/models/rows:{job['model_version']}:predict", json=body).json()["predictions"]
    right = sum(answer["class"] == sample["label"] for answer, sample in zip(answers, samples, strict=True))
    assert right >= 90

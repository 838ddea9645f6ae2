"""Forecasts and regressions on both databases: from the file to the numbers that a prediction answers with."""

from typing import Any

import numpy as np
import pytest
from stack import Stack
from uploaded import put

ROWS = 400
NETWORK = {"family": "rnn", "cell": "gru", "hidden": 12}
RULES = {"epochs": 6, "batch_size": 32, "optimizer": {"name": "adam", "lr": 0.01}}


def waves() -> Any:
    """An hour a row: float32 [ROWS, 2]."""
    time = np.arange(ROWS)
    noise = np.random.default_rng(2).normal(0, 0.2, (ROWS, 2))
    return (np.stack([500 + 20 * np.sin(time / 4), 10 * np.cos(time / 5)], 1) + noise).astype(np.float32)


def as_csv(values: Any) -> bytes:
    days = [f"2024-01-{1 + hour // 24:02d}T{hour % 24:02d}:00" for hour in range(ROWS)]
    lines = [f"{day},{load!r},{heat!r}" for day, (load, heat) in zip(days, values.tolist(), strict=True)]
    return "\n".join(["date,load,heat", *lines]).encode()


def test_a_table_is_foretold_in_its_own_units(service: Stack) -> None:
    stack, values = service, waves()
    ingested = stack.ended(put(stack, "power", as_csv(values), filename="power.csv", target="load")["id"])
    assert ingested["status"] == "succeeded", ingested["error"]
    dataset = stack.http.get("/v1/datasets/power").json()
    assert (dataset["kind"], dataset["task"], dataset["shape"]) == ("series", "forecast", [ROWS, 2])
    assert (dataset["columns"], dataset["targets"], dataset["classes"]) == (["load", "heat"], ["load"], [])
    assert dataset["splits"] == {"train": 320, "test": 80}
    stretches = stack.http.get("/v1/datasets/power/samples", params={"split": "train"}).json()["data"]
    assert [one["label"] for one in stretches] == ["row 0", "row 96", "row 192", "row 288"]
    assert np.array_equal(np.concatenate([np.array(one["values"], np.float32) for one in stretches]), values[:320])

    data = {"window": 24, "horizon": 6}
    spec = {"dataset": "power", "model": "power", "network": NETWORK, "data": data, "hyperparameters": RULES}
    estimate = stack.http.post("/v1/estimates", json=spec).json()
    assert (estimate["samples_per_epoch"], estimate["layers"][-1]["output"]) == (288 - 24 - 6 + 1, [6])
    job = stack.ended(stack.submit(spec))
    assert job["status"] == "succeeded", job["error"]
    result = job["result"]
    assert result["task"] == "forecast" and result["test"].keys() == {"loss", "mae", "rmse", "mase"}
    assert result["test"]["rmse"] < result["baseline"]["rmse"]
    assert result["baseline"]["season"] == 1 and result["confusion_matrix"] is None and result["per_class"] == []
    assert {"validation_mae", "validation_rmse", "train_mae"} <= stack.metrics(job["id"]).keys()

    version = stack.http.get("/v1/models/power/versions/1").json()
    (listed,) = stack.http.get("/v1/models/power/versions").json()["data"]
    assert listed == {**version, "preprocessing": None}
    assert version["ready"] and version["input"]["shape"] == [24, 2] and version["task"] == "forecast"
    test = [values[320 + first - 24 : 320 + first + 6] for first in range(75)]
    body = {"inputs": [one[:24].tolist() for one in test]}
    answer = stack.http.post("/v1/models/power:predict", json=body).json()
    foretold = np.array([one["values"]["load"] for one in answer["predictions"]])
    truth = np.array([one[24:, 0] for one in test])
    assert np.sqrt(((foretold - truth) ** 2).mean()) == pytest.approx(result["test"]["rmse"], rel=1e-3)
    np.testing.assert_allclose(result["forecasts"][0]["forecast"]["load"], foretold[0], rtol=1e-4)

    wrong = stack.http.post("/v1/models/power:predict", json={"inputs": [test[0][:9].tolist()]})
    assert wrong.status_code == 422 and "24x2" in wrong.text
    assert stack.http.post("/v1/models/power:predict?top=2", json=body).status_code == 422
    vast = stack.http.post("/v1/models/power:predict", json={"inputs": [[[3e38, 0]] * 23 + [[-3e38, 0]]]})
    assert vast.status_code == 422 and vast.json()["errors"][0]["pointer"] == "#/inputs/0"
    assert "too far from those in its last row" in vast.text
    why = stack.http.post(
        "/v1/models/power:explain?channels=true&segments=6", json={"inputs": body["inputs"][:1]}
    ).json()
    assert (why["target"], len(why["players"])) == ("load", 12)
    assert why["output"] == pytest.approx(foretold[0].mean(), rel=1e-5)
    assert abs(why["additivity_gap"]) < 1e-6
    further = {**spec, "fine_tune_from": "power", "data": {**data, "horizon": 8}}
    tuned = stack.ended(stack.submit(further))
    assert tuned["status"] == "succeeded" and tuned["layers"][-1]["output"] == [8]


def test_a_number_a_row_is_learnt(service: Stack) -> None:
    stack = service
    inputs = np.random.default_rng(4).normal(0, 1, (200, 4))
    prices = 1000 + 50 * inputs.sum(1)
    lines = [",".join(f"{number:.6f}" for number in (price, *row)) for price, row in zip(prices, inputs, strict=True)]
    content = "\n".join(["price,a,b,c,d", *lines]).encode()
    ingested = stack.ended(put(stack, "houses", content, filename="a.csv", task="regression", label="price")["id"])
    assert ingested["status"] == "succeeded", ingested["error"]
    dataset = stack.http.get("/v1/datasets/houses").json()
    assert (dataset["task"], dataset["targets"]) == ("regression", ["price"])
    spec = {"dataset": "houses", "model": "houses", "network": NETWORK, "hyperparameters": {**RULES, "epochs": 30}}
    job = stack.ended(stack.submit(spec))
    assert job["status"] == "succeeded", job["error"]
    assert job["result"]["test"]["r2"] > 0.8
    samples = stack.http.get("/v1/datasets/houses/samples", params={"limit": 40}).json()["data"]
    body = {"inputs": [one["values"] for one in samples]}
    answers = stack.http.post("/v1/models/houses:predict", json=body).json()["predictions"]
    pairs = zip(answers, samples, strict=True)
    differences = [one["values"]["price"] - float(sample["label"]) for one, sample in pairs]
    assert np.abs(differences).mean() == pytest.approx(job["result"]["test"]["mae"], rel=1e-2)

    asked = {"method": "exact_shapley", "baseline": "zeros"}
    why = stack.http.post("/v1/models/houses:explain", params=asked, json={"inputs": body["inputs"][:1]}).json()
    parts = [one["value"] for one in why["players"]]
    assert np.abs(np.array(parts) - 50 * np.array(body["inputs"][0]).ravel()).mean() < 25
    gradients = stack.http.post(
        "/v1/models/houses:explain?method=integrated_gradients", json={"inputs": body["inputs"][:1]}
    )
    assert (gradients.status_code, gradients.json()["errors"][0]["pointer"]) == (422, "#/query/method")

    refused = {**spec, "hyperparameters": {"monitor": "validation_accuracy"}}
    answer = stack.http.post("/v1/jobs", json=refused)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "#/hyperparameters/monitor"

"""Explanations over HTTP, on both databases: of a network that was trained on real digits, of texts, of sequences."""

import io
import xml.etree.ElementTree as ElementTree
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from stack import PATIENCE

from core.specs import TrainSpec
from models.data.splits import Dataset, Split
from models.events import Finished
from models.training import fit

CNN = {"family": "cnn", "stages": [{"channels": 16}], "hidden": [64]}
WORDS = ["nul", "een", "twee", "drie", "vier", "vijf", "zes", "zeven", "acht", "negen"]


def trained(dataset: Dataset, **body: Any) -> Finished:
    *_, end = fit(TrainSpec.model_validate(body), dataset, threads=1)
    assert isinstance(end, Finished)
    return end


@pytest.fixture(scope="module")
def digits(api: Any) -> Dataset:
    """The digits, and a CNN called ``digits`` that has learnt them."""
    dataset: Dataset = api.player.digits()
    end = trained(dataset, network=CNN, hyperparameters={"epochs": 6})
    assert end.test["accuracy"] > 0.9
    api.player.train("digits", trained=end, network=CNN)
    return dataset


def explain(api: Any, model: str, sample: Any, **query: Any) -> dict[str, Any]:
    answer = api.http.post(f"/v1/models/{model}:explain", json={"inputs": [sample]}, params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    total = sum(player["value"] for player in found["players"]) + found["base_value"]
    assert found["additivity_gap"] == pytest.approx(total - found["output"])
    return found


def probability(api: Any, model: str, sample: Any, name: str) -> float:
    answer = api.http.post(f"/v1/models/{model}:predict", json={"inputs": [sample]}).json()
    value: float = answer["predictions"][0]["probabilities"][name]
    return value


def without(sample: Any, boxes: list[list[int]]) -> Any:
    pixels = np.array(sample)
    for y0, x0, y1, x1 in boxes:
        pixels[y0:y1, x0:x1] = 0
    return pixels.tolist()


@pytest.mark.parametrize("method", ["kernel_shap", "lime", "occlusion"])
def test_what_is_said_to_matter_in_a_digit_does(api: Any, digits: Dataset, method: str) -> None:
    """Without the cells with the largest values the answer falls much; without those with the smallest it does not."""
    falls: dict[str, list[float]] = {"top": [], "bottom": []}
    for raw in digits.test.inputs[:10]:
        sample = raw[..., 0].tolist()
        found = explain(api, "digits", sample, method=method)
        assert found["shape"] == [8, 8, 1]
        assert len(found["players"]) == 64
        assert found["output"] == pytest.approx(probability(api, "digits", sample, found["target"]), abs=1e-6)
        ranked = [one["box"] for one in sorted(found["players"], key=lambda one: one["value"])]
        for name, boxes in (("top", ranked[-21:]), ("bottom", ranked[:21])):
            falls[name].append(found["output"] - probability(api, "digits", without(sample, boxes), found["target"]))
    assert np.mean(falls["top"]) > 0.5
    assert np.mean(falls["bottom"]) < 0.05


def test_exact_values_and_their_sum(api: Any, digits: Dataset) -> None:
    sample = digits.test.inputs[0][..., 0].tolist()
    exact = explain(api, "digits", sample, method="exact_shapley")
    assert [player["box"] for player in exact["players"]][:4] == [
        [0, 0, 2, 2],
        [0, 2, 2, 5],
        [0, 5, 2, 8],
        [2, 0, 5, 2],
    ]
    assert exact["samples"] == 512
    assert exact["r2"] is None
    assert abs(exact["additivity_gap"]) < 1e-9
    assert exact["base_value"] == pytest.approx(probability(api, "digits", np.zeros((8, 8)).tolist(), exact["target"]))
    kernel = explain(api, "digits", sample, grid=3)
    assert [one["value"] for one in kernel["players"]] == pytest.approx([one["value"] for one in exact["players"]])
    assert kernel["r2"] < 1
    other = explain(api, "digits", sample, grid=3, target="0" if exact["target"] != "0" else "1", baseline="blur")
    assert other["output"] < 0.5
    assert other["baseline"] == "blur"


def test_the_same_seed_gives_the_same_answer(api: Any, digits: Dataset) -> None:
    sample = digits.test.inputs[1][..., 0].tolist()
    one, same, other = (explain(api, "digits", sample, samples=256, seed=seed) for seed in (7, 7, 8))
    assert one == same
    assert one["players"] != other["players"]


def test_a_picture_of_it(api: Any, digits: Dataset) -> None:
    raw = digits.test.inputs[2]
    file = io.BytesIO()
    Image.fromarray(raw[..., 0]).save(file, "png")
    headers = {"Content-Type": "image/png", "Accept": "image/png"}
    answer = api.http.post("/v1/models/digits:explain", content=file.getvalue(), headers=headers)
    assert answer.headers["Content-Type"] == "image/png"
    drawn = np.array(Image.open(io.BytesIO(answer.content))).astype(int)
    assert drawn.shape == (320, 320, 3)
    found = explain(api, "digits", raw[..., 0].tolist())
    best = max(found["players"], key=lambda one: abs(one["value"]))
    y, x = best["box"][0] * 40 + 20, best["box"][1] * 40 + 20
    assert (drawn[y, x, 2] > drawn[y, x, 0]) == (best["value"] > 0)
    wrong = api.http.post(
        "/v1/models/digits:explain", content=file.getvalue(), headers={**headers, "Accept": "image/svg+xml"}
    )
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "#/header/Accept")


@pytest.fixture(scope="module")
def texts(api: Any, digits: Dataset) -> None:
    """A model that has learnt the Dutch words of the digits, said amid other words."""

    def said(part: Split) -> Split:
        words = np.array([f"dat is {WORDS[target]} <&> hoor" for target in part.targets], object)
        return Split(words, part.targets)

    manifest = {**digits.manifest, "kind": "text", "shape": [], "dtype": "utf8", "lengths": [5, 7]}
    network = {"family": "rnn", "cell": "gru", "hidden": 16}
    end = trained(
        Dataset(said(digits.train), said(digits.test), manifest),
        network=network,
        data={"tokens": "word"},
        hyperparameters={"epochs": 4, "optimizer": {"lr": 0.01}},
    )
    api.player.train("texts", trained=end, network=network)


def test_the_word_that_a_text_hangs_on(api: Any, texts: None) -> None:
    text = "dat is zeven <&> hoor"
    for query in ({}, {"method": "exact_shapley"}, {"baseline": "unknown"}, {"method": "occlusion"}):
        found = explain(api, "texts", text, **query)
        assert [one["text"] for one in found["players"]] == ["dat", "is", "zeven", "<", "&", ">", "hoor"]
        assert all(text[one["start"] : one["end"]] == one["text"] for one in found["players"])
        assert found["target"] == "7"
        assert max(found["players"], key=lambda one: one["value"])["text"] == "zeven"
    two = explain(api, "texts", text, segments=2)
    assert [one["text"] for one in two["players"]] == ["dat is zeven", "<&> hoor"]
    headers = {"Content-Type": "text/plain", "Accept": "image/svg+xml"}
    answer = api.http.post("/v1/models/texts:explain", content=text.encode(), headers=headers)
    assert answer.headers["Content-Type"].startswith("image/svg+xml")
    shown = [one.text for one in ElementTree.fromstring(answer.content).iter("{http://www.w3.org/2000/svg}text")]
    assert shown[1:] == ["dat", "is", "zeven", "<", "&", ">", "hoor"]
    strange = api.http.post("/v1/models/texts:explain", content=b"a \x00 \x1b", headers=headers)
    assert ElementTree.fromstring(strange.content).tag.endswith("svg")
    empty = api.http.post("/v1/models/texts:explain", json={"inputs": [" "]})
    assert (empty.status_code, empty.json()["errors"][0]["pointer"]) == (422, "#/inputs/0")


def test_sequences_by_time_and_by_channel(api: Any) -> None:
    api.player.train("rows", dataset="digits-rows")
    sample = api.player.digits("digits-rows").test.inputs[0].tolist()
    found = explain(api, "rows", sample)
    assert [(one["start"], one["end"]) for one in found["players"]] == [(step, step + 1) for step in range(8)]
    each = explain(api, "rows", sample, segments=4, channels=True, method="occlusion")
    assert [one["channel"] for one in each["players"]] == list(range(8)) * 4
    answer = api.http.post(
        "/v1/models/rows:explain?channels=true", json={"inputs": [sample]}, headers={"Accept": "image/svg+xml, */*"}
    )
    lines = list(ElementTree.fromstring(answer.content).iter("{http://www.w3.org/2000/svg}polyline"))
    assert len(lines) == 8


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"method": "exact_shapley", "grid": 4}, "#/query/method"),
        ({"method": "gradients"}, "#/query/method"),
        ({"samples": 100}, "#/query/samples"),
        ({"samples": 10**6}, "#/query/samples"),
        ({"method": "occlusion", "samples": 100}, "#/query/samples"),
        ({"segments": 4}, "#/query/segments"),
        ({"channels": True}, "#/query/channels"),
        ({"baseline": "silence"}, "#/query/baseline"),
        ({"target": "ten"}, "#/query/target"),
        ({"sample": 100}, "#/query/sample"),
    ],
)
def test_what_is_wrong_with_a_question_is_named(api: Any, digits: Dataset, query: Any, pointer: str) -> None:
    sample = digits.test.inputs[0][..., 0].tolist()
    answer = api.http.post("/v1/models/digits:explain", json={"inputs": [sample]}, params=query)
    assert answer.status_code == 422, answer.text
    assert [one["pointer"] for one in answer.json()["errors"]] == [pointer]


def test_what_is_wrong_with_a_sample(api: Any, digits: Dataset) -> None:
    sample = digits.test.inputs[0][..., 0].tolist()
    url = "/v1/models/digits:explain"
    two = api.http.post(url, json={"inputs": [sample, sample]})
    assert (two.status_code, two.json()["errors"][0]["pointer"]) == (422, "#/inputs")
    assert api.http.post(url, json={"inputs": [sample[:3]]}).json()["errors"][0]["pointer"] == "#/inputs/0"
    text = api.http.post(url, content=b"x", headers={"Content-Type": "text/plain"})
    assert text.status_code == 415
    assert api.http.post("/v1/models/nobody:explain", json={"inputs": [sample]}).status_code == 404


def test_an_explanation_that_takes_too_long_says_what_to_lower(api: Any, digits: Dataset, start_api: Any) -> None:
    url, _ = start_api(api.database.url.render_as_string(hide_password=False), explain_seconds=0.05)
    sample = digits.test.inputs[0][..., 0].tolist()
    answer = httpx.post(f"{url}/v1/models/digits:explain?samples=16384", json={"inputs": [sample]}, timeout=PATIENCE)
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["pointer"] == "#/query/samples"
    assert "0.05 s" in error["detail"]
    assert "lower samples" in error["detail"]

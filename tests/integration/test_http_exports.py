"""The files of a version: with nothing but its ONNX file, plain ONNX Runtime says what the service says."""

import hashlib
import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
import pytest
from forecasting import raw, sums, table
from PIL import Image
from player import finished
from prose import prose
from recordings import tone
from safetensors.numpy import load as load_tensors

from core.encode import Preprocessing, ragged
from core.encode.text import FIRST
from core.explain.answer import softmax
from models.data.splits import Dataset, Split

WORDS = np.array(["nul", "een", "twee", "drie", "vier", "vijf", "zes", "zeven", "acht", "neg\u00ean"], object)


def plain(content: bytes) -> tuple[Any, dict[str, Any], list[str]]:
    """A session of a file, and the preprocessing and classes that it names."""
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    about = session.get_modelmeta().custom_metadata_map
    return session, json.loads(about["epochd.preprocessing"]), json.loads(about["epochd.classes"])


def fetched(api: Any, name: str) -> bytes:
    answer = api.http.get(f"/v1/models/{name}/versions/1/onnx")
    assert answer.status_code == 200, answer.text
    content: bytes = answer.content
    return content


def probabilities(api: Any, name: str, inputs: list[Any]) -> Any:
    answer = api.http.post(f"/v1/models/{name}:predict", json={"inputs": inputs})
    assert answer.status_code == 200, answer.text
    return np.array([list(one["probabilities"].values()) for one in answer.json()["predictions"]])


def test_a_picture_by_hand(api: Any) -> None:
    """All that it takes: ONNX Runtime, NumPy, and the formula that the metadata hold."""
    api.player.train("pictures", network={"family": "cnn", "stages": [{"channels": 4}], "hidden": []})
    session, about, classes = plain(fetched(api, "pictures"))
    pixels = api.player.digits().test.inputs[:50]
    inputs = ((pixels - np.array(about["mean"])) / np.array(about["std"])).astype(np.float32)
    (logits,) = session.run(["logits"], {"input": inputs})
    found = np.exp(logits - logits.max(1, keepdims=True))
    found /= found.sum(1, keepdims=True)
    assert np.abs(found - probabilities(api, "pictures", pixels[..., 0].tolist())).max() < 1e-5
    file = io.BytesIO()
    Image.fromarray(pixels[0, :, :, 0]).save(file, "png")
    url, kind = "/v1/models/pictures:predict", {"Content-Type": "image/png"}
    (said,) = api.http.post(url, content=file.getvalue(), headers=kind).json()["predictions"]
    assert said["class"] == classes[int(found[0].argmax())]


def resized(api: Any) -> tuple[Dataset, dict[str, Any], list[Any]]:
    digits = api.player.digits()
    body = {"network": {"family": "cnn"}, "data": {"resize": [28, 28]}}
    return digits, body, digits.test.inputs[:9, :, :, 0].tolist()


def rows(cell: str, bidirectional: bool, readout: str) -> Callable[[Any], tuple[Dataset, dict[str, Any], list[Any]]]:
    def of(api: Any) -> tuple[Dataset, dict[str, Any], list[Any]]:
        whole = api.player.digits("digits-rows")
        cut = [Split(part.inputs, part.targets, 3 + part.targets % 6) for part in (whole.train, whole.test)]
        dataset = Dataset(*cut, {**whole.manifest, "lengths": [3, 8]})
        network = {"family": "rnn", "cell": cell, "hidden": 6, "bidirectional": bidirectional, "readout": readout}
        inputs = [one[:end].tolist() for one, end in zip(dataset.test.inputs[:9], cut[1].lengths, strict=False)]
        return dataset, {"network": network}, [*inputs, [[1.0] * 8] * 20]

    return of


def texts(api: Any) -> tuple[Dataset, dict[str, Any], list[Any]]:
    digits = api.player.digits()
    train, test = (Split(WORDS[part.targets] + " \u20ac", part.targets) for part in (digits.train, digits.test))
    manifest = {**digits.manifest, "kind": "text", "shape": [], "dtype": "utf8", "lengths": [5, 7]}
    return Dataset(train, test, manifest), {}, ["zes \u20ac", "\u00ean", "een heel lange zin", ""]


def recordings(network: dict[str, Any]) -> Callable[[Any], tuple[Dataset, dict[str, Any], list[Any]]]:
    def of(api: Any) -> tuple[Dataset, dict[str, Any], list[Any]]:
        sounds = [tone(250.0 * (1 + number % 10), number) for number in range(60)]
        train, test = (Split(ragged.collect(part), np.arange(len(part)) % 10) for part in (sounds[:40], sounds[40:]))
        lengths = [min(map(len, sounds)), max(map(len, sounds))]
        manifest = {"kind": "audio", "shape": [lengths[1]], "dtype": "int16", "lengths": lengths, "rate": 8000}
        described = {**manifest, "classes": [str(one) for one in range(10)], "source": "tones"}
        return Dataset(train, test, described), {"network": network}, [one.tolist() for one in sounds[40:46]]

    return of


CLASSIFIERS = {
    "a picture that is resized": resized,
    "an Elman network": rows("elman", False, "last"),
    "a GRU in both directions": rows("gru", True, "last"),
    "an LSTM and its mean": rows("lstm", True, "mean"),
    "an LSTM and its maximum": rows("lstm", False, "max"),
    "a text": texts,
    "a recording of fixed length": recordings({"family": "cnn", "stages": [{"channels": 4}], "hidden": []}),
    "a recording of any length": recordings({"family": "rnn", "cell": "gru", "hidden": 6}),
}


@pytest.mark.parametrize("case", CLASSIFIERS)
def test_the_file_alone_says_what_the_service_says(api: Any, case: str) -> None:
    dataset, body, inputs = CLASSIFIERS[case](api)
    name = f"alone-{list(CLASSIFIERS).index(case)}"
    api.player.train(name, trained=finished(dataset, **body))
    session, about, classes = plain(fetched(api, name))
    preprocessing = Preprocessing.from_dict(about)
    (logits,) = session.run(["logits"], preprocessing.feed(preprocessing.from_rows(inputs)))
    assert np.abs(softmax(logits) - probabilities(api, name, inputs)).max() < 1e-5
    assert classes == api.http.get(f"/v1/models/{name}/versions/1/manifest").json()["classes"]


@pytest.mark.parametrize("case", ["forecast", "regression", "regression of several lengths"])
def test_numbers_in_their_own_units(api: Any, case: str) -> None:
    name = case.replace(" ", "-")
    if case == "forecast":
        dataset = table()
        trained = finished(dataset, data={"window": 12, "horizon": 4})
        samples = np.stack([dataset.test.inputs[first : first + 12] for first in range(8)])
    else:
        dataset = sums(varying=case != "regression")
        trained, samples = finished(dataset), raw(dataset)[:8]
    api.player.train(name, trained=trained)
    session, about, _ = plain(fetched(api, name))
    preprocessing = Preprocessing.from_dict(about)
    (outputs,) = session.run(["logits"], preprocessing.feed(samples))
    assert preprocessing.targets is not None
    wanted = preprocessing.targets.restore(outputs, samples)
    body = {"inputs": [one.tolist() for one in samples]}
    said = api.http.post(f"/v1/models/{name}:predict", json=body).json()["predictions"]
    found = np.array([next(iter(one["values"].values())) for one in said])
    np.testing.assert_allclose(found, wanted.reshape(found.shape), rtol=1e-6)


def test_a_language_model_writes_the_same(api: Any) -> None:
    manifest = {
        "kind": "corpus",
        "task": "language",
        "shape": [],
        "dtype": "utf8",
        "classes": [],
        "source": "a grammar",
    }
    empty = np.empty(0, np.int64)
    train, test = (Split(np.array([prose(30, seed)], object), empty) for seed in (0, 1))
    dataset = Dataset(train, test, manifest)
    network = {"family": "rnn", "cell": "lstm", "hidden": 16, "layers": 2}
    api.player.train("writer", trained=finished(dataset, network=network, data={"window": 16}))
    session, about, _ = plain(fetched(api, "writer"))
    tokens = Preprocessing.from_dict(about).tokens
    assert tokens is not None
    _, *inputs = session.get_inputs()
    states = {one.name: np.zeros((one.shape[0], 1, one.shape[2]), np.float32) for one in inputs}
    ids, written = tokens.encode(["the king "])[0], b""
    for _ in range(20):
        logits, *left = session.run(["logits", *(f"next_{one}" for one in states)], {"input": ids[None], **states})
        states = dict(zip(states, left, strict=True))
        logits[0, -1, :FIRST] = -np.inf  # padding and unknown are never written
        ids = np.array([logits[0, -1].argmax()], np.int32)
        written += tokens.piece(int(ids[0]))
    asked = {"prompt": "the king ", "max_tokens": 20, "temperature": 0}
    assert api.http.post("/v1/models/writer:predict", json=asked).json()["text"] == written.decode()


def test_the_files_are_those_that_the_manifest_names(api: Any) -> None:
    played = api.player.train("named")
    path = "/v1/models/named/versions/1"
    manifest = api.http.get(f"{path}/manifest").json()
    version = api.http.get(path).json()
    same = ("model", "version", "job", "preprocessing", "classes", "metrics", "spec", "dataset", "input", "parameters")
    assert {field: manifest[field] for field in same} == {field: version[field] for field in same}
    for kind in ("onnx", "weights"):
        whole = api.http.get(f"{path}/{kind}")
        sha256 = hashlib.sha256(whole.content).hexdigest()
        assert manifest[kind] == {"sha256": sha256, "size_bytes": len(whole.content)}
        assert version[f"{kind}_sha256"] == sha256 and whole.headers["ETag"] == f'"{sha256}"'
        head = api.http.head(f"{path}/{kind}")
        assert (head.status_code, head.content, int(head.headers["Content-Length"])) == (200, b"", len(whole.content))
        part = api.http.get(f"{path}/{kind}", headers={"Range": "bytes=10-19"})
        assert (part.status_code, part.content) == (206, whole.content[10:20])
        again = api.http.get(f"{path}/{kind}", headers={"If-None-Match": whole.headers["ETag"]})
        assert again.status_code == 304
    tensors = load_tensors(api.http.get(f"{path}/weights").content)
    assert tensors.keys() == played.network.state_dict().keys()
    (checkpoint,) = api.http.get(f"/v1/jobs/{played.job_id}/checkpoints").json()["data"]
    of_job = api.http.get(f"/v1/jobs/{played.job_id}/checkpoints/{checkpoint['id']}/weights")
    assert of_job.content == api.http.get(f"{path}/weights").content
    tag = api.http.get(f"{path}/manifest").headers["ETag"]
    inputs = [np.zeros((8, 8)).tolist()]
    assert api.http.post("/v1/models/named:predict", json={"inputs": inputs}).status_code == 200
    assert api.http.get(f"{path}/manifest", headers={"If-None-Match": tag}).status_code == 304  # not what is counted
    assert api.http.delete(f"/v1/jobs/{played.job_id}").status_code == 204
    assert api.http.get(f"{path}/weights").content == of_job.content  # the version keeps its files


def test_files_that_are_not_there(api: Any) -> None:
    api.player.train("unready", ready=False)
    path = "/v1/models/unready/versions"
    refused = api.http.get(f"{path}/1/onnx")
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    assert "has no ONNX file: the parity check failed" in refused.json()["detail"]
    manifest = api.http.get(f"{path}/1/manifest").json()
    assert (manifest["onnx"], manifest["reason"]) == (None, "the parity check failed")
    assert api.http.get(f"{path}/1/weights").status_code == 200
    for file in ("onnx", "weights", "manifest"):
        for version in ("2", "x", "0", "9" * 12):
            assert api.http.get(f"{path}/{version}/{file}").status_code == 404
        assert api.http.get(f"/v1/models/nothing/versions/1/{file}").status_code == 404

"""``/v2`` as Triton's client asks it, on both databases: every kind of sample, compared with ``:predict``."""

import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import loop
import numpy as np
import pytest
from forecasting import sums, table
from numpy.typing import NDArray
from PIL import Image
from player import finished
from recordings import RATE, encoded, tone
from tensors import check_same, client, predicted, tensor, words
from tritonclient.http import InferRequestedOutput, aio
from tritonclient.utils import InferenceServerException

from core.encode import audio, ragged
from models.data.splits import Dataset, Split

NAMES = ["logits", "index", "class", "probabilities"]
DATA = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture
def triton(api: Any) -> Iterator[Any]:
    one = client(api.url)
    yield one
    one.close()


@pytest.fixture(scope="module")
def pixels(api: Any) -> NDArray[np.uint8]:
    """Real digits [70, 8, 8, 1], and the model ``digits``: version 1 is ready, 2 is not."""
    api.player.train("digits", network={"family": "cnn"}, data={"resize": [28, 28]})
    api.player.train("digits", ready=False)
    found: NDArray[np.uint8] = api.player.digits().test.inputs[:70]
    return found


def test_the_server_and_its_models_say_what_they_are(api: Any, triton: Any, pixels: Any) -> None:
    assert triton.is_server_live() and triton.is_server_ready()
    server = triton.get_server_metadata()
    assert (server["name"], server["extensions"]) == ("epochd", ["binary_tensor_data"])
    assert server["version"] == api.http.get("/v1/info").json()["version"]

    digits = [str(digit) for digit in range(10)]
    found = triton.get_model_metadata("digits")
    assert found == triton.get_model_metadata("digits", "1")
    assert (found["name"], found["versions"], found["platform"]) == ("digits", ["1"], "onnxruntime_onnx")
    assert found["parameters"] == {"kind": "image", "version": "1", "classes": digits}
    (given,) = found["inputs"]
    assert (given["name"], given["datatype"], given["shape"]) == ("input", "UINT8", [-1, 8, 8, 1])
    assert [(one["name"], one["datatype"], one["shape"]) for one in found["outputs"]] == [
        ("probabilities", "FP32", [-1, 10]),
        ("logits", "FP32", [-1, 10]),
        ("class", "BYTES", [-1]),
        ("index", "INT64", [-1]),
    ]
    assert [triton.is_model_ready("digits", number) for number in ("", "1", "2", "3")] == [True, True, False, False]
    assert not triton.is_model_ready("nothing")
    index = [one for one in triton.get_model_repository_index() if one["name"] == "digits"]
    assert index == [
        {"name": "digits", "version": "1", "state": "READY", "reason": ""},
        {"name": "digits", "version": "2", "state": "UNAVAILABLE", "reason": "the parity check failed"},
    ]
    ready = api.http.post("/v2/repository/index", json={"ready": True}).json()
    assert [one["version"] for one in ready if one["name"] == "digits"] == ["1"]


@pytest.mark.parametrize("datatype", ["UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT64", "FP16", "FP32", "FP64"])
def test_images_of_every_datatype(api: Any, triton: Any, pixels: Any, datatype: str) -> None:
    darker = pixels // 2  # which an INT8 holds
    wanted = predicted(api, "digits", darker.tolist())
    values = darker.astype(datatype.replace("FP", "float").lower())
    check_same(triton.infer("digits", [tensor("input", values, datatype)]), wanted)
    if datatype != "FP16":
        check_same(triton.infer("digits", [tensor("input", values[..., 0], datatype, binary=False)]), wanted)


def test_outputs_are_chosen_and_the_id_comes_back(api: Any, triton: Any, pixels: Any) -> None:
    wanted, given = predicted(api, "digits", pixels.tolist()), [tensor("input", pixels, "UINT8")]
    whole = triton.infer("digits", given)
    assert "id" not in whole.get_response()
    for binary in (set(), {"class"}, {"logits", "probabilities"}, set(NAMES)):
        outputs = [InferRequestedOutput(name, binary_data=name in binary) for name in NAMES]
        result = triton.infer("digits", given, outputs=outputs, request_id="é 1", model_version="1")
        check_same(result, wanted)
        assert np.array_equal(result.as_numpy("logits"), whole.as_numpy("logits"))
        shown = result.get_response()
        assert (shown["id"], shown["model_name"], shown["model_version"]) == ("é 1", "digits", "1")
        assert [one["name"] for one in shown["outputs"]] == NAMES
        assert {one["name"] for one in shown["outputs"] if "parameters" in one} == binary
    assert words(triton.infer("digits", given, outputs=[InferRequestedOutput("class")]), "class") == words(
        whole, "class"
    )


@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
def test_compressed_requests(api: Any, triton: Any, pixels: Any, algorithm: str) -> None:
    result = triton.infer(
        "digits",
        [tensor("input", pixels, "UINT8")],
        request_compression_algorithm=algorithm,
        response_compression_algorithm=algorithm,
    )
    check_same(result, predicted(api, "digits", pixels.tolist()))


def test_the_client_for_asyncio(api: Any, pixels: Any) -> None:
    async def ask() -> list[Any]:
        async with aio.InferenceServerClient(api.url.removeprefix("http://")) as one:
            given = [[tensor("input", pixels, "UINT8", binary=binary)] for binary in (True, False)]
            return [await one.infer("digits", inputs, request_compression_algorithm="gzip") for inputs in given]

    for result in loop.run(ask()):
        check_same(result, predicted(api, "digits", pixels.tolist()))


def test_the_example_of_the_documentation(api: Any, pixels: Any) -> None:
    page = (Path(__file__).parents[2] / "docs/inference.md").read_text()
    found = re.search(r"^```python\n(.*?tritonclient.*?)^```", page, re.M | re.S)
    assert found is not None
    ran: dict[str, Any] = {}
    exec(found[1].replace("127.0.0.1:8600", api.url.removeprefix("http://")), ran)
    (wanted,) = predicted(api, "digits", [[[0] * 8] * 8])
    assert [one.decode() for one in ran["names"]] == [wanted["class"]] * 3
    assert ran["probabilities"].shape == (3, 10)


def test_aliases_move_what_a_name_means(api: Any, triton: Any) -> None:
    for seed in (0, 1):
        api.player.train("moving", seed=seed)
    put = api.http.put("/v1/models/moving/aliases/production", json={"version": 1, "reason": ""})
    assert put.status_code == 201
    one = [tensor("input", api.player.digits().test.inputs[:3], "UINT8")]
    served = {name: triton.infer(name, one).get_response()["model_version"] for name in ("moving", "moving@production")}
    assert served == {"moving": "1", "moving@production": "1"}
    assert triton.infer("moving", one, model_version="2").get_response()["model_version"] == "2"
    assert triton.get_model_metadata("moving")["versions"] == ["2", "1"]
    assert triton.get_model_metadata("moving")["parameters"]["version"] == "1"


def test_files_of_images(api: Any, triton: Any, pixels: Any) -> None:
    files = []
    for picture in pixels[:64, :, :, 0]:
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "PNG")
        files.append(file.getvalue())
    wanted = predicted(api, "digits", pixels[:64].tolist())
    check_same(triton.infer("digits", [tensor("input", np.array(files, object), "BYTES")]), wanted)
    for damaged, sentence in (([*files[:2], files[3][:40]], "sample 2: "), ([files[0]] * 65, "at most 64 files")):
        with pytest.raises(InferenceServerException, match=sentence):
            triton.infer("digits", [tensor("input", np.array(damaged, object), "BYTES")])


def test_series_of_one_length(api: Any, triton: Any) -> None:
    api.player.train("rows", dataset="digits-rows")
    rows = api.player.digits("digits-rows").test.inputs[:80]
    (given,) = triton.get_model_metadata("rows")["inputs"]
    assert (given["datatype"], given["shape"]) == ("FP32", [-1, 8, 8])
    odd = rows / np.float32(3)
    for datatype, values in (("FP32", odd), ("FP64", odd.astype(np.float64)), ("INT16", rows.astype(np.int16))):
        for binary in (True, False):
            result = triton.infer("rows", [tensor("input", values, datatype, binary=binary)])
            check_same(result, predicted(api, "rows", values.tolist()))


def test_series_of_several_lengths(api: Any, triton: Any) -> None:
    whole = api.player.digits("digits-rows")
    cut = [Split(part.inputs, part.targets, 3 + part.targets % 6) for part in (whole.train, whole.test)]
    api.player.train("varied", trained=finished(Dataset(*cut, {**whole.manifest, "lengths": [3, 8]})))
    inputs = triton.get_model_metadata("varied")["inputs"]
    assert [(one["name"], one["shape"]) for one in inputs] == [("input", [-1, -1, 8]), ("lengths", [-1])]
    rows, lengths = cut[1].inputs[:80], cut[1].lengths[:80]
    wanted = predicted(api, "varied", [row[:end].tolist() for row, end in zip(rows, lengths, strict=True)])
    for datatype in ("INT64", "INT32", "UINT8"):
        ends = lengths.astype(datatype.lower())
        check_same(triton.infer("varied", [tensor("lengths", ends, datatype), tensor("input", rows, "FP32")]), wanted)
    check_same(triton.infer("varied", [tensor("input", rows, "FP32")]), predicted(api, "varied", rows.tolist()))
    for bad, sentence in (
        (np.full(80, 9), "from 1 to 8"),
        (np.zeros(80, int), "from 1 to 8"),
        (np.ones(79, int), "80"),
    ):
        with pytest.raises(InferenceServerException, match=f"'lengths': .*{sentence}"):
            triton.infer("varied", [tensor("input", rows, "FP32"), tensor("lengths", bad, "INT64")])


def test_texts(api: Any, triton: Any) -> None:
    digits = api.player.digits()
    names = np.array(["nul", "een", "twee", "drie", "vier", "vijf", "zes", "zeven", "acht", "negên"], object)
    parts = [Split(names[part.targets] + " €", part.targets) for part in (digits.train, digits.test)]
    manifest = {**digits.manifest, "kind": "text", "shape": [], "dtype": "utf8", "lengths": [5, 7]}
    api.player.train("texts", trained=finished(Dataset(*parts, manifest)))
    sentences = ["zes €", "ên", "een heel lange [zin]", "x"]
    wanted = predicted(api, "texts", sentences)
    for shape in ((4,), (4, 1)):
        for binary in (True, False):
            one = tensor("input", np.array(sentences, object).reshape(shape), "BYTES", binary=binary)
            check_same(triton.infer("texts", [one]), wanted)
    with pytest.raises(InferenceServerException, match="sample 1: the text is not UTF-8"):
        triton.infer("texts", [tensor("input", np.array([b"zes", b"\xff"], object), "BYTES")])
    with pytest.raises(InferenceServerException, match="reads texts; send BYTES, not INT64"):
        triton.infer("texts", [tensor("input", np.arange(3), "INT64")])


def tones() -> list[NDArray[np.int16]]:
    return [tone(200.0 * (1 + number % 10), number) for number in range(60)]


def spoken() -> list[NDArray[np.int16]]:
    if not (DATA / "spoken-digits").is_dir():
        pytest.skip(f"needs the data set spoken-digits in {DATA.name}/ beside the checkout")
    with zipfile.ZipFile(DATA / "spoken-digits" / "spoken-digits.zip") as archive:
        files = [archive.read(f"{number % 10}_george_{number // 10}.wav") for number in range(60)]
    return [audio.decode(file, RATE)[0] for file in files]


@pytest.mark.parametrize("make", [tones, pytest.param(spoken, marks=pytest.mark.sets)])
def test_recordings(api: Any, triton: Any, make: Any) -> None:
    heard, digits = ragged.collect(make()), np.arange(60) % 10
    longest, name = max(map(len, heard)), make.__name__
    manifest = {**api.player.digits().manifest, "kind": "audio", "shape": [], "dtype": "int16", "rate": RATE}
    manifest["lengths"] = [min(map(len, heard)), longest]
    end = finished(Dataset(Split(heard[:40], digits[:40]), Split(heard[40:], digits[40:]), manifest))
    api.player.train(name, trained=end)
    given, lengths = triton.get_model_metadata(name)["inputs"]
    assert (given["datatype"], given["shape"], given["parameters"]["rate"]) == ("INT16", [-1, -1], RATE)
    assert (lengths["name"], lengths["parameters"]) == ("lengths", {"optional": True})

    asked = heard[40:]
    wanted = predicted(api, name, [one.tolist() for one in asked])
    padded, ends = ragged.pad(asked)
    for datatype in ("INT16", "FP32"):
        values = padded.astype("int16" if datatype == "INT16" else "float32")
        result = triton.infer(name, [tensor("input", values, datatype), tensor("lengths", ends, "INT64")])
        check_same(result, wanted)
    files = np.array([encoded(one, RATE, "FLAC") for one in asked], object)
    check_same(triton.infer(name, [tensor("input", files, "BYTES")]), wanted)
    with pytest.raises(InferenceServerException, match="sample 0: samples must be whole numbers"):
        triton.infer(name, [tensor("input", np.full((1, 99), 0.5, np.float32), "FP32")])


@pytest.mark.parametrize("kind", ["forecast", "regression"])
def test_numbers_that_are_foretold(api: Any, triton: Any, kind: str) -> None:
    if kind == "forecast":
        dataset = table(targets=("heat", "load"))
        end, shape = finished(dataset, data={"window": 12, "horizon": 4}), [-1, 4, 2]
        asked = np.stack([dataset.test.inputs[first : first + 12] for first in range(20)])
    else:
        dataset, shape = sums(), [-1, 1]
        end, asked = finished(dataset), dataset.test.inputs
    api.player.train(kind, trained=end)
    found = triton.get_model_metadata(kind)
    assert [(one["name"], one["datatype"], one["shape"]) for one in found["outputs"]] == [("values", "FP32", shape)]
    assert found["parameters"]["targets"] == list(dataset.manifest["targets"])
    values = [list(one["values"].values()) for one in predicted(api, kind, asked.tolist())]
    wanted = np.array(values, np.float32) if kind == "regression" else np.array(values, np.float32).transpose(0, 2, 1)
    for binary in (True, False):
        result = triton.infer(kind, [tensor("input", asked, "FP32", binary=binary)])
        assert np.array_equal(result.as_numpy("values"), wanted)

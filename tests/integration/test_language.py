"""A text and what goes on with it, through every real part: upload, training, writing over HTTP, client and command."""

import json
import socket
from typing import Any

import pytest
from prose import prose
from stack import PATIENCE, Stack, until
from uploaded import put

from epochd import Client
from epochd.cli import main

TEXT = prose(150)
SPEC = {
    "dataset": "play",
    "model": "play",
    "network": {"family": "rnn", "cell": "gru", "hidden": 32, "embedding": 12},
    "data": {"window": 24},
    "hyperparameters": {"epochs": 6, "batch_size": 16, "optimizer": {"lr": 0.01}, "clip_norm": 1.0},
}
PATH = "/v1/models/play:predict"


@pytest.fixture(scope="module")
def written(system: Stack) -> dict[str, Any]:
    """The job that made the model ``play``."""
    ended = system.ended(put(system, "play", TEXT.encode(), filename="play.txt")["id"])
    assert ended["status"] == "succeeded", ended["error"]
    job = system.ended(system.submit(SPEC))
    assert job["status"] == "succeeded", job["error"]
    return job


def test_a_text_is_uploaded_shown_and_learnt(system: Stack, written: dict[str, Any]) -> None:
    http = system.http
    dataset = http.get("/v1/datasets/play").json()
    assert (dataset["kind"], dataset["task"], dataset["classes"]) == ("corpus", "language", [])
    train, test = dataset["splits"]["train"], dataset["splits"]["test"]
    assert train + test == len(TEXT) and test == round(len(TEXT) / 10)
    pieces = http.get("/v1/datasets/play/samples", params={"split": "train", "limit": 100}).json()["data"]
    assert "".join(piece["values"] for piece in pieces) == TEXT[:train]
    page = http.get("/v1/datasets/play/samples", params={"split": "train", "limit": 2, "after": 0}).json()
    assert [one["values"] for one in page["data"]] == [TEXT[500:1000], TEXT[1000:1500]] and page["has_more"]

    assert [layer["kind"] for layer in written["layers"]] == ["embedding", "gru", "dense"]
    result = written["result"]
    assert result["test"]["bits_per_character"] < 3 and result["confusion_matrix"] is None
    names = {one["name"] for one in http.get(f"/v1/jobs/{written['id']}/metrics").json()["data"]}
    assert {"validation_bits_per_character", "validation_perplexity"} <= names
    estimate = http.post("/v1/estimates", json={name: SPEC[name] for name in SPEC if name != "model"}).json()
    assert estimate["parameters"] == written["parameters"]
    version = http.get("/v1/models/play/versions/1").json()
    assert version["ready"] and version["task"] == "language"


def test_it_writes_whole_and_as_it_comes(
    system: Stack, written: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    body = {"prompt": "the king ", "max_tokens": 40, "temperature": 0.5, "seed": 7}
    whole = system.http.post(PATH, json=body).json()
    assert whole.pop("text").strip()
    assert whole == {
        "object": "generation",
        "model": "play",
        "model_version": 1,
        "prompt_tokens": 9,
        "tokens": 40,
        "finish_reason": "length",
        "seed": 7,
    }
    text = system.http.post(PATH, json=body).json()["text"]
    assert len(text) == 40 and system.http.post(PATH, json={**body, "seed": 8}).json()["text"] != text

    with system.http.stream("POST", PATH, json=body, headers={"Accept": "text/event-stream"}) as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        events = [line.partition(": ")[::2] for line in answer.iter_lines() if line]
    names, data = ([value for name, value in events if name == wanted] for wanted in ("event", "data"))
    assert names == ["token"] * 40 + ["end"]
    assert "".join(json.loads(one)["text"] for one in data[:-1]) == text
    assert json.loads(data[-1]) == whole

    pieces: list[str] = []
    with Client(system.url) as client:
        asked = {name: value for name, value in body.items() if name != "prompt"}
        generation = client.generate("play", "the king ", **asked, on_text=pieces.append)  # type: ignore[arg-type]
        assert "".join(pieces) == generation["text"] == text
        stopped = client.generate("play", "the king ", seed=7, temperature=0.5, stop=text[5:8])
        assert (stopped["text"], stopped["finish_reason"]) == (text[: text.index(text[5:8])], "stop")
        drawn = client.generate("play", max_tokens=5)
        assert client.generate("play", max_tokens=5, seed=drawn["seed"])["text"] == drawn["text"]
    monkeypatch.setenv("EPOCHD_URL", system.url)
    capsys.readouterr()
    options = ["--tokens", "40", "--temperature", "0.5", "--seed", "7"]
    assert main(["generate", "play", "the king ", *options]) == 0
    printed = capsys.readouterr()
    assert printed.out.removesuffix("\n") == text.removesuffix("\n") and "play version 1, 40 tokens" in printed.err
    assert main(["generate", "play@1", "x", "--json"]) == 1
    assert main(["generate", "play", "the king ", *options, "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["text"] == text


def test_unknown_characters_and_no_prompt_are_answered_and_wrong_bodies_refused(
    system: Stack, written: dict[str, Any]
) -> None:
    http = system.http
    assert http.post(PATH, json={"prompt": "Ωmega 一", "max_tokens": 3}).json()["tokens"] == 3
    assert http.post(PATH, json={"max_tokens": 3}).json()["prompt_tokens"] == 0
    plain = http.post(PATH, content=b"the king ", headers={"Content-Type": "text/plain"})
    assert plain.json()["tokens"] == 200
    greedy = [http.post(PATH, json={"prompt": "a", "temperature": 0, "max_tokens": 9}).json()["text"] for _ in (1, 2)]
    assert greedy[0] == greedy[1]
    for body, pointer in (
        ({"prompt": 3}, "#/prompt"),
        ({"max_tokens": 0}, "#/max_tokens"),
        ({"max_tokens": 5000}, "#/max_tokens"),
        ({"temperature": -1}, "#/temperature"),
        ({"top_k": 0}, "#/top_k"),
        ({"stop": ""}, "#/stop"),
    ):
        refused = http.post(PATH, json=body)
        assert refused.status_code == 422, body
        assert refused.json()["errors"][0]["pointer"] == pointer
    assert "inputs" in http.post(PATH, json={"inputs": ["a"]}).json()["detail"]
    image = http.post(PATH, content=b"x", headers={"Content-Type": "image/png"})
    assert image.status_code == 415 and "prompt" in image.json()["detail"]
    assert http.post("/v1/models/none:predict", json={"prompt": ""}).status_code == 404


def test_a_reader_who_goes_ends_the_writing_and_holds_nobody_up(system: Stack, written: dict[str, Any]) -> None:
    body = json.dumps({"max_tokens": 4096}).encode()
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nAccept: text/event-stream\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    before = counted(system, "epochd_generated_tokens_total")
    for _ in range(6):
        with socket.create_connection(("127.0.0.1", system.port), timeout=PATIENCE) as connection:
            connection.sendall(head.encode() + body)
            assert b"200 OK" in connection.recv(4096)
    assert system.http.get("/v1/info").status_code == 200
    assert system.http.post(PATH, json={"max_tokens": 1}).json()["tokens"] == 1

    until(lambda: counted(system, "epochd_predictions_in_flight") == 0, "the texts to be given up")
    assert counted(system, "epochd_generated_tokens_total") - before < 6 * 4096


def counted(system: Stack, name: str) -> float:
    lines = system.http.get("/metrics").text.splitlines()
    return float(next(line for line in lines if line.startswith(f"{name} ")).split()[1])

"""One sample as JSON, as CSV and as bytes: the same answer."""

from typing import Any

import numpy as np


def test_the_same_sample_without_json(api: Any) -> None:
    stages = [{"channels": 4, "padding": "same", "pool": "none"}]
    api.player.train("digits")
    api.player.train("rows", dataset="digits-rows", network={"family": "cnn", "stages": stages, "hidden": []})

    def ask(model: str, kind: str, body: bytes) -> Any:
        return api.http.post(f"/v1/models/{model}:predict", content=body, headers={"Content-Type": kind})

    page = "/v1/datasets/digits{}/samples?limit=2"
    rows = [sample["values"] for sample in api.http.get(page.format("-rows")).json()["data"]]
    expected = api.http.post("/v1/models/rows:predict", json={"inputs": rows}).json()["predictions"]
    text = "\n".join(",".join(map(str, row)) for row in rows[0])
    assert ask("rows", "text/csv; charset=utf-8", text.encode()).json()["predictions"] == expected[:1]
    raw = np.array(rows, "<f4").tobytes()
    assert ask("rows", "application/octet-stream", raw).json()["predictions"] == expected

    images = [sample["values"] for sample in api.http.get(page.format("")).json()["data"]]
    expected = api.http.post("/v1/models/digits:predict", json={"inputs": images}).json()["predictions"]
    assert (
        ask("digits", "application/octet-stream", np.array(images, np.uint8).tobytes()).json()["predictions"]
        == expected
    )
    refused = ask("digits", "text/csv", text.encode())
    assert (refused.status_code, refused.json()["code"]) == (415, "unsupported_media_type")
    assert ask("digits", "application/octet-stream", raw[:63]).status_code == 422

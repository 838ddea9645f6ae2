"""Loaded versions are kept as long as there is room for them in bytes; what is thrown out is loaded again."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from api.serving import versions as serving


@pytest.mark.parametrize("touch", ["numbers", "a picture"])  # the short way to a loaded version, and the long one
def test_the_version_that_was_least_recently_asked_makes_room(
    api: Any, monkeypatch: pytest.MonkeyPatch, touch: str
) -> None:
    name = f"kept-{touch[-7:]}"
    for seed in range(3):
        api.player.train(name, seed=seed)
    (sample,) = [one["values"] for one in api.http.get("/v1/datasets/digits/samples?limit=1").json()["data"]]
    file = io.BytesIO()
    Image.fromarray(np.array(sample, np.uint8)).save(file, "png")

    def ask(version: int, how: str = "numbers") -> Any:
        form: dict[str, Any] = {"json": {"inputs": [sample]}}
        if how == "a picture":
            form = {"content": file.getvalue(), "headers": {"Content-Type": "image/png"}}
        answer = api.http.post(f"/v1/models/{name}:{version}:predict", **form)
        assert (answer.status_code, answer.json()["model_version"]) == (200, version), answer.text
        return answer.json()["predictions"]

    versions: serving.Versions = api.service.predict.versions

    def kept() -> list[tuple[str, int]]:
        """The versions that are loaded, least recently asked first; what they count as is what they take."""
        loaded = list(versions._loaded.values())
        assert versions._bytes == sum(one.size for one in loaded)
        return [(one.version.model, one.version.number) for one in loaded]

    said = {version: ask(version) for version in (1, 2)}
    assert kept()[-2:] == [(name, 1), (name, 2)]
    size = versions._loaded[next(reversed(versions._loaded))].size
    monkeypatch.setattr(serving, "CACHE_BYTES", round(2.5 * size))
    assert ask(1, touch) == said[1]
    said[3] = ask(3)
    assert kept() == [(name, 1), (name, 3)]
    assert said[1] != said[2] != said[3] != said[1]
    assert ask(2) == said[2]
    assert kept() == [(name, 3), (name, 2)]
    assert ask(1) == said[1] and ask(3) == said[3]

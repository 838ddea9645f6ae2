"""The pages against a real service: the README's walk and snippet run as they stand; no route is left out."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from stack import PATIENCE

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def block(fence: str) -> str:
    """The first fenced block that opens with ``fence``."""
    found = re.search(rf"^```{fence}\n(.*?)^```$", README, re.M | re.S)
    assert found is not None, f"README.md has no block ```{fence}"
    return found[1]


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_the_walk_by_curl_and_the_snippet(system: Any, tmp_path: Path) -> None:
    walk = block("sh walk")
    assert "EPOCHD=http://127.0.0.1:8600\n" in walk
    walk = walk.replace("EPOCHD=http://127.0.0.1:8600\n", f"EPOCHD={system.url}\n")
    command = ["bash", "-euo", "pipefail", "-c", walk]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=4 * PATIENCE)
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}"

    stream, after = ran.stdout.split("event: end", 1)
    assert "event: metrics" in stream and '"validation_accuracy"' in stream
    end, status, parameters, accuracy, answers = re.split(r"\n+", after.strip(), maxsplit=4)
    assert json.loads(end.removeprefix("data: ")) == {"status": "succeeded"}
    assert (status, parameters) == ("succeeded", "225034")
    assert float(accuracy) > 0.8

    prediction, alias = read_objects(answers)
    assert (prediction["model"], prediction["model_version"]) == ("my-digits", 1)
    (answer,) = prediction["predictions"]
    assert len(answer["probabilities"]) == 3
    assert (alias["alias"], alias["version"]) == ("production", 1)

    # The snippet's network is the one that answers: the same sample gives the same probabilities.
    version = system.http.get("/v1/models/my-digits/versions/1").json()
    (tmp_path / "preprocessing.json").write_text(json.dumps(version["preprocessing"]))
    command = [sys.executable, "-c", block("python") + PROBABILITIES]
    loaded = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert loaded.returncode == 0, loaded.stderr
    parameters, probabilities = json.loads(loaded.stdout)
    assert parameters == 225_034
    likely = {name: pytest.approx(probabilities[int(name)], abs=1e-4) for name in answer["probabilities"]}
    assert answer["probabilities"] == likely


#: What follows the README's snippet: the number of parameters, and the network's opinion of ask.json.
PROBABILITIES = """
import json, torch
from core.encode import image
from core.encode.preprocessing import Preprocessing
with open("ask.json") as asked, open("preprocessing.json") as fields:
    samples = image.from_rows(json.load(asked)["inputs"], (8, 8, 1))
    inputs = Preprocessing.from_dict(json.load(fields)).apply(samples)
with torch.no_grad():
    logits = network.eval()(torch.from_numpy(inputs).permute(0, 3, 1, 2))
print(json.dumps([sum(p.numel() for p in network.parameters()), logits.softmax(1)[0].tolist()]))
"""


def test_the_api_page_has_every_route_and_no_other(system: Any) -> None:
    described = re.findall(r"^(?:\| )?`((?:GET|POST|PUT|DELETE) /[^`?]*)", (ROOT / "docs/api.md").read_text(), re.M)
    paths = system.http.get("/openapi.json").json()["paths"]
    routed = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods if method != "head"}
    assert set(described) == routed
    assert len(described) == len(routed)


def read_objects(text: str) -> list[dict[str, Any]]:
    """JSON objects that follow each other, as curl leaves them."""
    decoder, found, at = json.JSONDecoder(), [], 0
    while at < len(text):
        value, at = decoder.raw_decode(text, at)
        found.append(value)
        at += len(text[at:]) - len(text[at:].lstrip())
    return found

"""The pages stay true: links lead somewhere, every setting, route and folder is described."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from core.settings import Settings
from core.specs import PredictJob, TrainJob

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "benchmarks").glob("*.md"))]
FENCE = re.compile(r"^```.*?^```", re.M | re.S)


def anchors(page: Path) -> set[str]:
    """The fragment of each heading, made as GitHub makes it."""
    headings = re.findall(r"^#{1,6} (.+)$", FENCE.sub("", page.read_text()), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_lead_somewhere() -> None:
    broken = []
    for page in PAGES:
        for target in re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", page.read_text())):
            if re.match(r"[a-z]+:", target):
                continue  # another site: not asked, tests work offline
            path, _, fragment = target.partition("#")
            there = (page.parent / path) if path else page
            if not there.exists() or (fragment and fragment not in anchors(there)):
                broken.append(f"{page.relative_to(ROOT)} -> {target}")
    assert broken == []


def test_every_setting_is_in_the_readme() -> None:
    table = set(re.findall(r"^\| `(EPOCHD_[A-Z_]+)`", (ROOT / "README.md").read_text(), re.M))
    assert table == {f"EPOCHD_{name.upper()}" for name in Settings.model_fields}


def test_the_tree_names_every_folder() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    folders = {name.split("/")[0] for name in listed.splitlines() if "/" in name}
    tree = re.search(r"```text tree\n(.*?)^```", (ROOT / "README.md").read_text(), re.M | re.S)
    assert tree is not None
    assert set(re.findall(r"^(\S+)/ ", tree[1], re.M)) == folders


def test_the_request_in_the_api_page_shows_the_defaults() -> None:
    found = re.search(r"^## Jobs.*?^```json\n(.*?)^```", (ROOT / "docs/api.md").read_text(), re.M | re.S)
    assert found is not None
    shown = TrainJob.model_validate(json.loads(found[1]))
    least = TrainJob.model_validate({"dataset": "digits", "network": {"family": "cnn"}})
    assert shown.model_dump(exclude={"hyperparameters"}) == least.model_dump(exclude={"hyperparameters"})
    assert shown.hyperparameters.epoch_limit == least.hyperparameters.epoch_limit
    assert shown.hyperparameters.samples_per_batch == least.hyperparameters.samples_per_batch
    assert shown.hyperparameters.optimizer == least.hyperparameters.optimizer


def test_the_request_in_the_page_of_predictions_shows_the_defaults() -> None:
    found = re.search(r"^```json\n(.*?)^```", (ROOT / "docs/predictions.md").read_text(), re.M | re.S)
    assert found is not None
    shown = json.loads(found[1])
    least = PredictJob.model_validate({name: shown[name] for name in ("kind", "model", "dataset")})
    assert shown == least.model_dump(mode="json")


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.json")), ids=lambda path: path.name)
def test_examples_are_valid_requests(path: Path) -> None:
    TrainJob.model_validate_json(path.read_text())

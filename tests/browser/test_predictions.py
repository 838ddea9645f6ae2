"""The page of a job that answers a whole data set: its score, and the file to download."""

import re
from pathlib import Path
from typing import Any

from playwright.sync_api import expect


def test_predictions_of_a_data_set_are_shown_and_downloaded(visit: Any, system: Any) -> None:
    network = {"family": "cnn", "stages": [{"channels": 8}], "hidden": [16]}
    spec = {"dataset": "digits", "model": "answering", "network": network, "hyperparameters": {"epochs": 3}}
    assert system.ended(system.submit(spec))["status"] == "succeeded"
    job_id = system.submit({"kind": "predict", "model": "answering", "dataset": "digits"})
    assert system.ended(job_id)["status"] == "succeeded"
    page = visit.to(f"jobs/{job_id}")
    expect(page.get_by_role("heading", level=1)).to_have_text("answering:1 on digits@1")
    result = page.get_by_role("region", name="Result")
    expect(result).to_contain_text(re.compile(r"accuracy\s*\d+\.\d\d %"))
    expect(result).to_contain_text("360 rows answered")
    expect(result.get_by_role("table")).to_contain_text("Confusion matrix of the test split")
    with page.expect_download() as started:
        page.get_by_role("link", name=re.compile(r"Download CSV")).click()
    assert started.value.suggested_filename == "answering-1-digits-1-test.csv"
    assert len(Path(started.value.path()).read_text().splitlines()) == 361
    page = visit.to("jobs?kind=predict")
    expect(page.get_by_role("list", name="Jobs")).to_contain_text("accuracy")

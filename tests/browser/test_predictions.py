"""The pages of models and jobs that answer: what was served, the form for a whole data set, its score and its file."""

import re
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import expect
from uploaded import npz, put


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


def test_a_data_set_is_answered_from_the_page_of_a_model(visit: Any, system: Any) -> None:
    spec = {"dataset": "digits-rows", "model": "asked", "network": {"family": "rnn", "hidden": 8}}
    assert system.ended(system.submit({**spec, "hyperparameters": {"steps": 5}}))["status"] == "succeeded"
    page = visit.to("models/asked")
    page.get_by_role("button", name="Answer a data set").press("Enter")
    dialog = page.get_by_role("dialog", name="Answer a data set")
    expect(dialog.get_by_label("Version")).to_have_value("1")
    choices = dialog.get_by_label("Data set")
    expect(choices.get_by_role("option").filter(has_text="digits-rows@1")).to_have_count(1)
    expect(choices.get_by_role("option").filter(has_text=re.compile("^(digits|languages)@"))).to_have_count(0)
    expect(dialog.get_by_label("Split").get_by_role("option")).to_have_text(["test", "train", "all"])
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    page.get_by_role("button", name="Answer a data set").click()
    choices.select_option(label="digits-rows@1")
    dialog.get_by_label("Split").select_option("all")
    dialog.get_by_label("Format").select_option("jsonl")
    dialog.get_by_role("button", name="Start").press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("asked:1 on digits-rows@1")
    result = page.get_by_role("region", name="Result")
    expect(result).to_contain_text("1,797 rows answered")
    with page.expect_download() as started:
        result.get_by_role("link", name=re.compile(r"Download JSONL")).click()
    assert len(Path(started.value.path()).read_text().splitlines()) == 1797


def test_what_is_refused_is_said_in_the_form(visit: Any, system: Any) -> None:
    """Somebody deletes the data set while the form is open."""
    spec = {"dataset": "digits-rows", "model": "refused", "network": {"family": "rnn", "hidden": 8}}
    assert system.ended(system.submit({**spec, "hyperparameters": {"steps": 5}}))["status"] == "succeeded"
    random = np.random.default_rng(1)
    rows = npz(x=random.normal(size=(40, 8, 8)).astype(np.float32), y=np.arange(40) % 10)
    made = put(system, "passing", rows, filename="passing.npz")
    assert system.ended(made["id"])["status"] == "succeeded"
    page = visit.to("models/refused")
    page.get_by_role("button", name="Answer a data set").click()
    dialog = page.get_by_role("dialog", name="Answer a data set")
    dialog.get_by_label("Data set").select_option("passing@1")
    assert system.http.delete("/v1/datasets/passing@1").status_code == 204
    visit.expected.append("422")
    dialog.get_by_role("button", name="Start").click()
    expect(dialog.get_by_role("alert")).to_contain_text("there is no dataset 'passing@1'")
    expect(dialog.get_by_label("Data set")).to_have_attribute("aria-invalid", "true")
    expect(dialog.get_by_label("Data set")).to_have_value("passing@1")


def test_what_is_served_is_shown_while_it_is(visit: Any, system: Any) -> None:
    spec = {"dataset": "digits-rows", "model": "counted", "network": {"family": "rnn", "hidden": 8}}
    assert system.ended(system.submit({**spec, "hyperparameters": {"steps": 5}}))["status"] == "succeeded"
    page = visit.to("models/counted")
    served = page.get_by_role("region", name="Served in the last hour", exact=True)
    for requests in ("1", "2"):
        answer = system.http.post("/v1/models/counted:predict", json={"inputs": [[[0] * 8] * 8]})
        assert answer.status_code == 200
        expect(served.get_by_role("row").nth(1).get_by_role("cell").first).to_have_text(requests)

"""The playground says why: a heat map over a digit, coloured words, stretches of a series."""

import csv
import io
import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from uploaded import put


@pytest.fixture(scope="module")
def seen(system: Any) -> str:
    """A model of digits as pictures."""
    network = {"family": "cnn", "stages": [{"channels": 16}], "hidden": [32]}
    spec = {"dataset": "digits", "model": "seen", "network": network, "hyperparameters": {"epochs": 8}}
    assert system.ended(system.submit(spec))["status"] == "succeeded"
    return "seen"


@pytest.fixture(scope="module")
def reviews(system: Any) -> str:
    """A model of texts in which one word decides."""
    rows = io.StringIO()
    table = csv.writer(rows)
    table.writerow(["label", "text"])
    for number in range(60):
        table.writerow(["good", f"the film {number} was wonderful to see"])
        table.writerow(["bad", f"the film {number} was dreadful to see"])
    made = put(system, "reviews", rows.getvalue().encode(), filename="reviews.csv")
    assert system.ended(made["id"])["status"] == "succeeded"
    network = {"family": "rnn", "cell": "gru", "hidden": 8}
    spec = {"dataset": "reviews", "model": "reviews", "network": network, "data": {"tokens": "word"}}
    fast = {"epochs": 12, "optimizer": {"lr": 0.02}}
    assert system.ended(system.submit({**spec, "hyperparameters": fast}))["status"] == "succeeded"
    return "reviews"


def strengths(page: Page, selector: str, attribute: str = "fill-opacity") -> list[float]:
    return [float(one.get_attribute(attribute) or 0) for one in page.locator(selector).all()]


def test_a_digit_is_explained_by_keyboard_and_by_another_method(visit: Any, seen: str) -> None:
    page = visit.to(f"playground?model={seen}")
    explain = page.get_by_role("button", name="Explain")
    expect(explain).to_be_disabled()
    page.get_by_role("button", name="A real test sample").click()
    expect(explain).to_be_enabled()
    explain.focus()
    page.keyboard.press("Enter")
    heat = page.get_by_role("img", name=re.compile("What each cell of the picture adds to"))
    expect(heat).to_be_visible()
    expect(heat.locator("image")).to_have_count(1)
    assert max(strengths(page, ".heat rect")) == pytest.approx(0.75)
    assert len(strengths(page, ".heat rect")) == 64
    expect(page.get_by_role("region", name="Why")).to_contain_text(
        re.compile(r"Strongest: row \d, column \d [+−]0\.\d")
    )
    page.get_by_label("Method").select_option("exact_shapley")
    expect(heat).to_have_count(0)  # what was shown was another method's
    explain.click()
    expect(page.locator(".heat rect")).to_have_count(9)
    page.get_by_label("Method").select_option("integrated_gradients")
    explain.click()
    expect(page.locator(".heat rect")).to_have_count(64)
    page.get_by_role("button", name="Clear").click()
    expect(heat).to_have_count(0)
    expect(explain).to_be_disabled()


def test_the_word_that_decides_has_the_full_colour(visit: Any, reviews: str) -> None:
    page = visit.to(f"playground?model={reviews}")
    page.get_by_label("Text", exact=True).fill("the film 🎬 was dreadful to see")
    expect(page.locator("[data-answer=bad]")).to_be_visible()
    page.get_by_role("button", name="Explain").click()
    words = page.locator(".words mark")
    expect(words).to_have_text(["the", "film", "🎬", "was", "dreadful", "to", "see"])
    shares = [float(one.evaluate("each => each.style.getPropertyValue('--share')")) for one in words.all()]
    assert max(shares) == shares[4] == pytest.approx(0.75)
    expect(words.nth(4)).to_have_class("for")
    expect(page.get_by_role("region", name="Why")).to_contain_text("Strongest: “dreadful” +")


def test_a_series_is_explained_by_its_stretches(visit: Any, system: Any) -> None:
    network = {"family": "rnn", "hidden": 16}
    spec = {"dataset": "digits-rows", "model": "rows", "network": network, "hyperparameters": {"epochs": 2}}
    assert system.ended(system.submit(spec))["status"] == "succeeded"
    page = visit.to("playground?model=rows")
    page.get_by_role("button", name="A real test sample").click()
    page.get_by_role("button", name="Explain").click()
    expect(page.locator(".stretches span")).to_have_count(8)
    expect(page.get_by_role("region", name="Why")).to_contain_text(re.compile(r"Strongest: step \d"))


def test_what_a_worker_explained_is_on_the_page_of_its_job(visit: Any, system: Any, seen: str) -> None:
    sample = system.http.get("/v1/datasets/digits/samples", params={"limit": 1}).json()["data"][0]["values"]
    asked = system.http.post(
        f"/v1/models/{seen}:explain", json={"inputs": [sample]}, headers={"Prefer": "respond-async"}
    ).json()
    assert system.ended(asked["id"])["status"] == "succeeded"
    page = visit.to(f"jobs/{asked['id']}")
    expect(page.get_by_role("heading", level=1)).to_have_text(f"{seen}:1")
    expect(page.locator(".heat rect")).to_have_count(64)
    expect(page.locator("main")).to_contain_text("kernel shap")
    page = visit.to("jobs?kind=explain")
    expect(page.get_by_role("list", name="Jobs")).to_contain_text("explained")

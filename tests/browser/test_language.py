"""A language model in the dashboard: its text, its scores, and the page where it writes."""

import re
from typing import Any

import pytest
from playwright.sync_api import expect
from prose import prose
from uploaded import put


@pytest.fixture
def job(system: Any) -> str:
    """A job that has made the model ``drama``; its id."""
    ended = system.ended(put(system, "drama", prose(150).encode(), filename="drama.txt")["id"])
    assert ended["status"] == "succeeded", ended["error"]
    spec = {
        "dataset": "drama",
        "model": "drama",
        "network": {"family": "rnn", "cell": "gru", "hidden": 16},
        "data": {"window": 24},
        "hyperparameters": {"epochs": 3, "batch_size": 16, "optimizer": {"lr": 0.01}},
    }
    made: dict[str, Any] = system.ended(system.submit(spec))
    assert made["status"] == "succeeded", made["error"]
    return str(made["id"])


def test_it_is_shown_and_writes_as_it_comes(visit: Any, job: str) -> None:
    page = visit.to("data/drama")
    expect(page.get_by_text("language")).to_be_visible()
    expect(page.get_by_role("list", name="Samples").get_by_role("listitem").first).to_contain_text("the")

    page = visit.to(f"jobs/{job}")
    result = page.get_by_role("region", name="Result")
    expect(result).to_contain_text(re.compile(r"\d\.\d{3}\s*bits per character · perplexity \d"))
    expect(page.get_by_role("heading", name="Bits per character")).to_be_visible()

    page = visit.to("playground?model=drama")
    written = page.locator("[data-written]")
    page.get_by_label("Prompt").fill("the king ")
    page.get_by_label("Tokens").fill("120")
    page.get_by_label("Seed").fill("7")
    page.get_by_label("Prompt").press("Control+Enter")
    status = page.get_by_role("region", name="Text", exact=True).get_by_role("status")
    expect(status).to_contain_text("120 tokens by drama version 1, seed 7")
    text = written.text_content()
    assert text is not None and len(text) == 120
    page.get_by_role("button", name="Write", exact=True).press("Enter")
    expect(status).to_contain_text("seed 7")
    expect(written).to_have_text(text, use_inner_text=False)

    page.get_by_label("Temperature").fill("hot")
    visit.expected.append("422")
    page.get_by_role("button", name="Write", exact=True).click()
    expect(page.get_by_text(re.compile("Expected `float`"))).to_be_visible()
    page.get_by_label("Temperature").fill("1.5")
    page.get_by_label("Tokens").fill("4096")
    slow = page.context.new_cdp_session(page)  # or all is written before the button is found
    rates = {"offline": False, "latency": 0, "downloadThroughput": 5_000, "uploadThroughput": -1}
    slow.send("Network.emulateNetworkConditions", rates)
    page.get_by_role("button", name="Write", exact=True).click()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("button", name="Write", exact=True)).to_be_enabled()

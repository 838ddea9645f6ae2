"""The result of a training on its job's page."""

from typing import Any

from playwright.sync_api import expect

from core.db import Database
from core.tables import Job


def test_the_scores_of_each_class_stand_beside_the_confusion_matrix(visit: Any, system: Any) -> None:
    spec = {"dataset": "digits", "network": {"family": "rnn", "hidden": 16}, "hyperparameters": {"epochs": 3}}
    job = system.ended(system.submit(spec))
    assert job["status"] == "succeeded", job["error"]
    page = visit.to(f"jobs/{job['id']}")
    expect(page.get_by_role("region", name="Confusion matrix, scrollable")).to_be_visible()
    table = page.get_by_role("region", name="Scores by class, scrollable").get_by_role("table")
    rows = table.locator("tbody").get_by_role("row")
    expect(rows).to_have_count(10)
    for row, scores in zip(rows.all(), job["result"]["per_class"], strict=True):
        expect(row).to_contain_text(scores["class"])
        expect(row.get_by_role("cell").last).to_have_text(str(scores["support"]))
        recall = scores["recall"]
        expect(row.get_by_role("cell").nth(1)).to_have_text(f"{recall * 100:.1f} %")
    expect(table.locator("tfoot")).to_contain_text(f"{job['result']['test']['macro_f1'] * 100:.1f} %")


def test_a_replay_says_calmly_whether_the_weights_are_the_same(visit: Any, system: Any) -> None:
    spec = {"dataset": "digits", "network": {"family": "rnn", "hidden": 8}, "hyperparameters": {"steps": 30}}
    first = system.ended(system.submit(spec))["id"]
    page = visit.to(f"jobs/{first}")
    page.get_by_role("button", name="Replay").click()
    result = page.get_by_role("region", name="Result", exact=True)
    expect(result.get_by_role("paragraph").first).to_have_text(f"Same weights as {first[-8:]}, bit for bit.")
    expect(page.get_by_role("definition").get_by_role("link", name=first[-8:])).to_be_visible()

    database = Database(system.database_url)
    with database.transaction() as session:
        job = session.get_one(Job, first)
        job.result = {**(job.result or {}), "weights_sha256": "0" * 64}
    database.close()
    visit.to(f"jobs/{first}").get_by_role("button", name="Replay").click()
    told = f"Different weights than {first[-8:]}: all that is noted of the two runs is the same."
    expect(result.get_by_role("paragraph").first).to_have_text(told)

"""The result of a training on its job's page."""

from typing import Any

from playwright.sync_api import expect


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

"""A forecast in the dashboard: its table, its errors and pictures, and how its model is asked."""

import re
from typing import Any

import numpy as np
from playwright.sync_api import expect


def test_a_forecast_is_drawn_and_compared(visit: Any, system: Any) -> None:
    time = np.arange(300)
    load, heat = 500 + 20 * np.sin(time / 4), 10 * np.cos(time / 5)
    rows = [f"2024-01-{1 + hour // 24:02d}T{hour % 24:02d}:00,{load[hour]:.3f},{heat[hour]:.3f}" for hour in time]
    content = "\n".join(["date,load,heat", *rows]).encode()
    uploaded = system.http.put("/v1/datasets/plant", content=content, params={"filename": "a.csv", "target": "load"})
    assert system.ended(uploaded.json()["id"])["status"] == "succeeded"

    page = visit.to("data/plant@1")
    expect(page.get_by_text("forecast of load")).to_be_visible()
    numbers = page.get_by_role("region", name="Numbers", exact=True)
    expect(numbers.get_by_role("row", name="load (foretold) train")).to_be_visible()
    expect(page.get_by_role("list", name="Samples").get_by_role("img")).to_have_count(1)  # 60 rows of the test split

    spec = {
        "dataset": "plant",
        "model": "plant",
        "network": {"family": "rnn", "cell": "gru", "hidden": 12},
        "data": {"window": 24, "horizon": 6},
        "hyperparameters": {"epochs": 8, "optimizer": {"name": "adam", "lr": 0.01}},
    }
    job = system.ended(system.submit(spec))
    assert job["status"] == "succeeded", job["error"]
    page = visit.to(f"jobs/{job['id']}")
    result = page.get_by_role("region", name="Result", exact=True)
    expect(result).to_contain_text("RMSE")
    better = job["result"]["test"]["rmse"] < job["result"]["baseline"]["rmse"]
    expect(result.get_by_text("Better than" if better else "No better than")).to_be_visible()
    expect(result.get_by_role("region", name="Forecasts of load").get_by_role("img")).to_have_count(4)
    expect(page.get_by_role("img", name="Error: train")).to_be_visible()
    expect(page.get_by_text("accuracy")).to_have_count(0)

    page = visit.to("playground?model=plant")
    rows_asked = page.get_by_role("textbox", name="24 rows or more, one a line: load, heat")
    answer = page.get_by_role("region", name="Answer", exact=True)
    rows_asked.fill("load,heat\n1,2")
    expect(page.get_by_text("These are 1 of 24 rows.")).to_be_visible()
    rows_asked.fill("\n".join(rows[-30:]))  # more than are read, with the column that says when
    foretold = answer.get_by_role("region", name="Forecast of load")
    body = {"inputs": [[[float(f"{load[hour]:.3f}"), float(f"{heat[hour]:.3f}")] for hour in time[-24:]]]}
    values = system.http.post("/v1/models/plant:predict", json=body).json()["predictions"][0]["values"]["load"]
    expect(foretold.get_by_role("img")).to_have_count(1)
    said = [float(number) for number in (foretold.get_by_role("status").text_content() or "").split(", ")]
    assert np.abs(np.array(said) - values).max() < 1
    page.get_by_role("button", name="Real rows").click()
    expect(foretold.locator('polyline[data-run="truth"]')).to_have_attribute("points", re.compile(r"(\S+ ){6}\S+"))

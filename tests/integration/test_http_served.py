"""What was served in the last hour, as the API and Prometheus are told."""

from typing import Any


def test_the_last_hour_of_each_version(api: Any) -> None:
    api.player.train("counted")
    api.player.train("counted")
    url = "/v1/models/counted"
    assert api.http.get(url).json()["served"] == []
    inputs = [sample["values"] for sample in api.http.get("/v1/datasets/digits/samples?limit=3").json()["data"]]
    for _ in range(4):
        assert api.http.post(f"{url}:2:predict", json={"inputs": inputs}).status_code == 200
    assert api.http.post(f"{url}:1:predict", json={"inputs": inputs[:1]}).status_code == 200
    assert api.http.post(f"{url}:2:predict", json={"inputs": [[1]]}).status_code == 422
    tensor = {
        "name": "input",
        "shape": [1, 8, 8, 1],
        "datatype": "UINT8",
        "data": [one for row in inputs[0] for one in row],
    }
    assert api.http.post("/v2/models/counted/versions/2/infer", json={"inputs": [tensor]}).status_code == 200
    first, second = api.http.get(url).json()["served"]
    assert (first["version"], first["requests"], first["samples"], first["errors"]) == (2, 6, 13, 1)
    assert (second["version"], second["requests"], second["samples"], second["errors"]) == (1, 1, 1, 0)
    assert 0 < first["p50_ms"] <= first["p95_ms"] <= first["p99_ms"] and first["last_request_at"]
    assert api.http.get(f"{url}/versions/2").json()["served"] == first
    assert [one["served"] for one in api.http.get(f"{url}/versions").json()["data"]] == [first, second]
    lines = api.http.get("/metrics").text.splitlines()
    assert 'epochd_model_requests_total{model="counted",result="ok",version="2"} 5.0' in lines
    assert 'epochd_model_requests_total{model="counted",result="error",version="2"} 1.0' in lines
    assert 'epochd_model_samples_total{model="counted",version="2"} 13.0' in lines
    assert 'epochd_model_request_seconds_count{model="counted",version="2"} 5.0' in lines

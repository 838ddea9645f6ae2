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


def test_an_etag_names_what_is_stored_and_not_what_is_served(api: Any) -> None:
    api.player.train("polled")
    paths = [f"/v1/models{rest}" for rest in ("", "/polled", "/polled/versions", "/polled/versions/1")]
    tags = {path: api.http.get(path).headers["ETag"] for path in paths}
    assert all(tag.startswith("W/") for tag in tags.values())  # what was served may differ
    inputs = [sample["values"] for sample in api.http.get("/v1/datasets/digits/samples?limit=1").json()["data"]]
    assert api.http.post("/v1/models/polled:predict", json={"inputs": inputs}).status_code == 200
    for path, tag in tags.items():
        again = api.http.get(path, headers={"If-None-Match": tag})
        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag), path
        assert api.http.get(path, headers={"If-None-Match": tag.removeprefix("W/")}).status_code == 304
    assert api.http.get(paths[1]).json()["served"][0]["requests"] == 1

    alias = api.http.put("/v1/models/polled/aliases/production", json={"version": 1})
    assert alias.status_code == 201
    changed = [path for path in paths if api.http.get(path, headers={"If-None-Match": tags[path]}).status_code == 200]
    assert changed == paths[:2]  # who has the alias; the versions are what they were
    api.player.train("polled")
    changed = [path for path in paths if api.http.get(path, headers={"If-None-Match": tags[path]}).status_code == 200]
    assert changed == paths[:3]
    moved = api.http.put(alias.url.path, json={"version": 2}, headers={"If-Match": alias.headers["ETag"]})
    assert moved.status_code == 200  # its own tag is exact
    assert api.http.put(alias.url.path, json={"version": 1}, headers={"If-Match": "*"}).status_code == 200
    stale = {"If-Match": moved.headers["ETag"]}
    assert api.http.put(alias.url.path, json={"version": 1}, headers=stale).status_code == 412

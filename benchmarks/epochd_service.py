"""Epochd as benchmarks.serve measures it: ``epochd up`` on a data folder, with API keys required and metrics on."""

import sys
import time
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.bodies import Form, as_bytes, as_json, as_v2_binary, of_predictions, of_v2
from benchmarks.server import NotStarted, Server, free_ports

ROOT = Path(__file__).parents[1]


class Service:
    """A running service; ``processes`` are those that answer, null for the default."""

    def __init__(self, folder: Path, processes: int | None = None) -> None:
        (port,) = free_ports(1)
        env = {"EPOCHD_REQUIRE_KEYS": "always", "PYTHONPATH": str(ROOT)}
        if processes is not None:
            env["EPOCHD_API_PROCESSES"] = str(processes)
        command = [sys.executable, "-m", "epochd", "up", "--data-dir", str(folder), "--port", str(port), "--json"]
        log = folder.with_name(f"{folder.name}.log")
        self.server = Server(command, env, port, log, "/readyz")
        while '"url"' not in log.read_text():  # its worker comes last; `up` gives up what is paused before that
            if not self.server.running:
                raise NotStarted(log.read_text())
            time.sleep(0.2)
        self.url = f"http://127.0.0.1:{port}"
        self.key = (folder / "admin.key").read_text().strip()
        self.headers = {"Authorization": f"Bearer {self.key}"}

    def forms(self, model: str) -> dict[str, Form]:
        """How a model is asked, by the name of the form."""
        path, v2 = f"/v1/models/{model}:predict", f"/v2/models/{model}/infer"
        return {
            "json": Form(path, as_json, of_predictions, self.headers),
            "raw": Form(path, as_bytes, of_predictions, self.headers),
            "v2": Form(v2, as_v2_binary, of_v2, self.headers),
        }

    def refuses_wrong_key(self, model: str) -> bool:
        """Whether a key with another secret is answered with 401."""
        key = self.key[:-1] + ("A" if self.key[-1] != "A" else "B")
        given = {"Authorization": f"Bearer {key}"}
        answer = httpx.post(f"{self.url}/v1/models/{model}:predict", json={"inputs": []}, headers=given)
        return answer.status_code == 401

    def counted(self) -> float:
        """Prediction requests that /metrics has counted as answered, of all versions."""
        text = httpx.get(f"{self.url}/metrics", headers=self.headers, timeout=30).raise_for_status().text
        samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
        return sum(
            sample.value
            for sample in samples
            if sample.name == "epochd_model_requests_total" and sample.labels["result"] == "ok"
        )

"""What the service costs a training: ``python -m benchmarks.overhead [--json] [--quick]``.

``service`` is submit to ``succeeded`` by the client's clock, on a warm worker, with checkpoints, metrics, evaluation
and export as they are by default. ``bare`` is ``fit`` with the same evaluation in a fresh process, timed after imports
and data. Same spec, steps, threads and allocator. They take turns, and each service run is compared with the mean of
the bare runs before and after it, so that a machine whose speed drifts favours neither; for the same reason the runs
are hardly longer than they must be, and a process that only imports what a bare run imports goes before each service
run too. Void if their weights differ in one bit.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.report import Report
from epochd import Client
from epochd.up import Options, Up
from workers.forkserver import ENVIRONMENT

SPEC: dict[str, Any] = {
    "dataset": "digits",
    "model": "overhead",
    "network": {"family": "cnn"},
    "data": {"resize": [28, 28]},
}
SECONDS = 25.0
"""Of a run, by what a short one tells; the goal asks for 20."""


def bare(spec: dict[str, Any] | None, threads: int) -> None:
    """The other side, in a process of its own: prints seconds and the SHA-256 of its weights; null only imports."""
    import torch._dynamo  # noqa: F401 - before the clock starts, as in the forkserver
    from safetensors.torch import save

    from core.encode import digits
    from core.specs import TrainJob
    from models import events, training
    from models.data import splits

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "digits.safetensors"
        path.write_bytes(digits.build())
        dataset = splits.load(path)
    if spec is None:
        print("{}")
        return
    training_spec = TrainJob.model_validate(spec).training
    began = time.perf_counter()
    *_, last = training.fit(training_spec, dataset, threads=threads)
    took = time.perf_counter() - began
    assert isinstance(last, events.Finished)
    digest = hashlib.sha256(save(last.best.weights, metadata={"format": "pt"})).hexdigest()
    print(json.dumps({"seconds": took, "sha256": digest, "steps": last.step}))


def run_bare(spec: dict[str, Any] | None, threads: int) -> dict[str, Any]:
    """Run :func:`bare` in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.overhead", "--bare", json.dumps(spec), "--threads", str(threads)]
    done = subprocess.run(command, env={**os.environ, **ENVIRONMENT}, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def of(epochs: int) -> dict[str, Any]:
    """The job, so long."""
    return {**SPEC, "hyperparameters": {"epochs": epochs}}


def long_enough(threads: int) -> int:
    """How many epochs take ``SECONDS`` on this machine."""
    few = 40
    took: float = run_bare(of(few), threads)["seconds"]
    return max(few, round(few * SECONDS / took))


def run_service(client: Client, spec: dict[str, Any]) -> tuple[float, dict[str, Any]]:
    """Seconds from submit until the client knows that the job succeeded, and the job."""
    began = time.perf_counter()
    job = client.submit(spec)
    for _ in client.follow(job["id"]):
        pass
    took = time.perf_counter() - began
    ended: dict[str, Any] = dict(client.job(job["id"]))
    assert ended["status"] == "succeeded", ended["error"]
    return took, ended


def first_step(client: Client) -> float:
    """Seconds from before the request that submits a job to its first optimiser step."""
    began = datetime.now(UTC)
    job = client.submit({**SPEC, "model": None, "hyperparameters": {"steps": 2}})
    client.wait(job["id"])
    at = {event["type"]: datetime.fromisoformat(event["created_at"]) for event in client.events(job["id"])}
    return (at["first_step"] - began).total_seconds()


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    parser.add_argument("--quick", action="store_true", help="two rounds of a short job")
    parser.add_argument("--bare", help=argparse.SUPPRESS)
    parser.add_argument("--threads", type=int, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.bare:
        bare(json.loads(chosen.bare), chosen.threads)
        return
    rounds, starts = (2, 5) if chosen.quick else (15, 20)
    report = Report("overhead", ("torch", "celery", "sqlalchemy"))
    with tempfile.TemporaryDirectory() as folder:
        options = Options(data_dir=Path(folder), port=0)
        with Up(options, say=lambda text: print(text, file=sys.stderr)) as up, Client(up.url) as client:
            threads = int(next(iter(client.workers()))["threads"])
            run_service(client, {**SPEC, "model": None, "hyperparameters": {"steps": 2}})  # warm
            epochs = 5 if chosen.quick else long_enough(threads)
            spec = of(epochs)
            report.note(f"{epochs} epochs")
            service, alone, ratios = [], [run_bare(spec, threads)["seconds"]], []
            for number in range(rounds):
                run_bare(None, threads)
                took, job = run_service(client, spec)
                other = run_bare(spec, threads)
                if job["result"]["weights_sha256"] != other["sha256"]:
                    sys.exit(f"round {number + 1} is void, and with it this run: the weights differ")
                service.append(took)
                alone.append(other["seconds"])
                ratios.append(2 * took / (alone[-2] + alone[-1]))
                print(f"round {number + 1}: service {took:.2f} s, then bare {alone[-1]:.2f} s, same weights")
            waits = sorted(first_step(client) for _ in range(starts))
    report.row("digits cnn 28x28", "service", "s", service)
    report.row("digits cnn 28x28", "bare", "s", alone)
    ratio = report.row("digits cnn 28x28", "service/bare", "ratio", ratios)
    report.goal("service / bare, median of the rounds", ratio.median, "<=", 1.03)
    if not chosen.quick:
        report.goal("seconds of the shortest bare run", min(alone), ">=", 20)
    middle = report.row("submit to first step", "service", "s", waits)
    report.goal("submit to first step, p50 (s)", middle.median, "<=", 0.2)
    report.goal("submit to first step, p95 (s)", waits[int(0.95 * (len(waits) - 1))], "<=", 0.5)
    report.show(chosen.json)


if __name__ == "__main__":
    main()

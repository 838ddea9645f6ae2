"""How long predictions take while one job trains on the same machine."""

from benchmarks.contest import Case, Contestant, Effort, ask, faults
from benchmarks.epochd_service import Service
from benchmarks.report import Report
from benchmarks.trained import Trained, spec
from epochd import Client

CASE = Case("cnn", "json", 16)
NAME = f"{CASE}, a job training"
EPOCHS = 5000
"""More than there is time for: the job is cancelled."""


def measure(service: Service, trained: Trained, effort: Effort, report: Report) -> None:
    """Add the rows and the goal."""
    epochd = Contestant("epochd", service.server, service.forms(trained.model), service)
    service.server.go_on()
    job = spec("cnn")
    job = {**job, "model": None, "hyperparameters": {**job["hyperparameters"], "epochs": EPOCHS}}
    with Client(service.url, key=service.key) as client:
        job_id = client.submit(job)["id"]
        for update in client.follow(job_id, timeout=60):
            if update.event is not None and update.event["type"] == "first_step":
                break
        rounds = [ask(epochd, CASE, trained, effort.seconds) for _ in range(1 + effort.rounds)]
        trains = client.job(job_id)["status"] == "running"
        client.cancel(job_id)
        client.wait(job_id)
    service.server.pause()
    wrong = [sentence for one in rounds for sentence in faults(CASE, *one)]
    if wrong or not trains:
        report.note(f"{NAME}: void, {wrong[0] if wrong else 'the job ended before the measurement did'}")
        return
    found = [one for one, _ in rounds[1:]]
    report.row(NAME, "epochd", "requests/s", [one.rate for one in found])
    report.row(NAME, "epochd", "ms p50", [one.p50 for one in found])
    p99 = report.row(NAME, "epochd", "ms p99", [one.p99 for one in found])
    report.goal(f"{NAME}: p99 (ms)", p99.median, "<=", 50)
    report.note(f"{NAME}: a worker of `epochd up` as it is by default, its training on all cores, no niceness of ours")

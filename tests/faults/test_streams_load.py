"""Streams while much is written and while the API goes away: every number once, and curves that can be drawn."""

import json
import threading
import time
from typing import Any

import httpx
import long_job
from sqlalchemy import select
from stack import PATIENCE, Stack, until

from core import jobs
from core.db import Database
from core.jobs import Event, Points
from core.jobs.history import written_after
from core.specs import TrainJob
from core.tables import Job, Worker

BODY: dict[str, Any] = {"dataset": "digits", "network": {"family": "rnn", "hidden": 4}}
WRITES = 300


def test_a_reader_misses_nothing_while_much_is_written(database: Database, worker: Worker) -> None:
    """Events and metrics lie in two tables; what is committed between looking at the one and the other comes later."""
    with database.transaction() as session:
        job_id = jobs.submit(session, "default", TrainJob.model_validate(BODY)).id
    with database.transaction() as session:
        claim = jobs.claim(session, worker, 3600, {"cpu"})
    assert claim is not None
    lease, failed = claim.lease, list[BaseException]()

    def write() -> None:
        own = Database(database.url.render_as_string(hide_password=False))
        try:
            for step in range(1, WRITES + 1):
                entry = Event("log", "a line") if step % 2 else Points([("train_loss", step, 1.0)])
                with own.transaction() as session:
                    jobs.record(session, lease, [entry])
        except BaseException as error:
            failed.append(error)
            raise
        finally:
            own.close()

    writer = threading.Thread(target=write)
    writer.start()
    seen: list[int] = []
    while True:
        alive = writer.is_alive()
        with database.looking() as connection:
            last = connection.scalars(select(Job.last_seq).where(Job.id == job_id)).one()
            news = written_after(connection, job_id, seen[-1] if seen else 0, last)
        seen += [one.seq for one in news]
        if not alive and not news:
            break
    writer.join()
    assert failed == []
    assert seen == list(range(1, WRITES + 3))  # after "queued" and "claimed"


class Listener(threading.Thread):
    """Follows a job's stream to its end, through every lost connection, by Last-Event-ID."""

    def __init__(self, stack: Stack, job_id: str) -> None:
        super().__init__(daemon=True)
        self.url = f"{stack.url}/v1/jobs/{job_id}/stream"
        self.heard: list[tuple[int, str, Any]] = []
        self.ended = False
        self.connections = 0

    def run(self) -> None:
        while not self.ended:
            try:
                self.listen()
            except httpx.TransportError:
                time.sleep(0.05)

    def listen(self) -> None:
        headers = {"Last-Event-ID": str(self.heard[-1][0])} if self.heard else {}
        with httpx.stream("GET", self.url, headers=headers, timeout=PATIENCE) as answer:
            assert answer.status_code == 200
            self.connections += 1
            fields: dict[str, str] = {}
            for line in answer.iter_lines():
                name, _, value = line.partition(": ")
                fields |= {name: value} if name else {}
                if not name and fields.get("event") == "end":
                    self.ended = True
                elif not name and "data" in fields:
                    self.heard.append((int(fields["id"]), fields["event"], json.loads(fields["data"])))
                fields = fields if name else {}


def test_a_stream_goes_on_through_restarts_and_rewinds(stack: Stack) -> None:
    """What a client heard, points after a rewind dropped, is the job's history: each number once, each point once."""
    api = stack.start_api()
    stack.start_worker()
    job_id, child = long_job.start(stack)
    listener = Listener(stack, job_id)
    listener.start()
    until(lambda: listener.heard, "the stream to begin")
    child.kill()  # the next attempt begins while there is no API
    api.kill()
    stack.started.remove(api)
    stack.start_api()
    job = stack.ended(job_id)
    until(lambda: listener.ended, "the stream to end")
    assert (job["status"], job["attempt"]) == ("succeeded", 2)
    assert listener.connections > 1
    numbers = [number for number, _, _ in listener.heard]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == job["last_seq"]
    assert [data for _, kind, data in listener.heard if kind == "event"] == stack.events(job_id)
    curves: dict[str, list[list[float]]] = {}
    for _, kind, data in listener.heard:
        if kind == "event" and data["type"] == "rewound":
            curves = {
                name: [one for one in points if one[0] <= data["data"]["step"]] for name, points in curves.items()
            }
        for one in data["points"] if kind == "metrics" else []:
            curves.setdefault(one["name"], []).append([one["step"], one["value"]])
    assert curves == stack.metrics(job_id)
    stack.stop_all()

"""Writes what one attempt reports into the database, in order and in short transactions, from a thread of its own."""

import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from core import blobs, jobs, log
from core.catalog.datasets import NewDataset
from core.catalog.models import NewVersion
from core.db import Database
from core.errors import LeaseLost
from core.jobs import CheckpointEntry, Claim, Event, Part, Points
from core.tables import Job
from workers import messages
from workers.messages import Message

RETRY_SECONDS = 0.5
MOST_WAITING = 200
MOST_TOGETHER = 64


class Recorder:
    """One attempt's writer. ``put`` what the child says, then ``close``; its attributes tell how the writing ended.

    The small things that wait are written together. Nothing is lost with them: a checkpoint is stored after all that
    came before it, and an attempt starts from a checkpoint.
    """

    def __init__(self, database: Database, claim: Claim, stored: Callable[[], None]) -> None:
        self._database, self._claim, self._stored = database, claim, stored
        self._waiting: deque[Message] = deque()
        self._closed = False
        self._more = threading.Condition()
        self._progress: dict[str, Any] = {}
        self._gave_up = threading.Event()
        self._dropping = False
        self._best_step: int | None = None
        self.lost = False
        self.failure: Exception | None = None
        self.succeeded = False
        self.paused_step: int | None = None
        self.error: Message | None = None
        self._thread = threading.Thread(target=self._run, name=f"recorder-{claim.lease.job_id}", daemon=True)
        self._thread.start()

    @property
    def full(self) -> bool:
        """Whether the child must wait: the database is slower than it."""
        return len(self._waiting) >= MOST_WAITING

    def put(self, *messages: Message) -> None:
        """Hand over what the child said; never blocks. Ask ``full`` before reading more from it."""
        with self._more:
            self._waiting.extend(messages)
            self._more.notify()

    def give_up(self) -> None:
        """Stop waiting for a database that is away: the lease is over."""
        self._gave_up.set()

    def drop_results(self) -> None:
        """The job is cancelled: checkpoints and results that still wait are not written."""
        self._dropping = True

    def close(self, over: Callable[[], bool]) -> None:
        """Wait until everything is written, or until the lease is over."""
        with self._more:
            self._closed = True
            self._more.notify()
        while self._thread.is_alive():
            if over():
                self.give_up()
            self._thread.join(0.2)

    def _run(self) -> None:
        while (batch := self._take()) is not None:
            if self.lost or self.failure is not None:
                continue
            if self._dropping and batch[0]["type"] in messages.RESULTS:
                continue
            try:
                self._write(batch)
            except LeaseLost:
                self.lost = True
            except Exception as error:  # the supervisor reports it as the job's failure
                log.get(__name__).exception("recording_failed", job=self._claim.lease.job_id)
                self.failure = error

    def _take(self) -> list[Message] | None:
        """The next messages: the small ones that wait together, or one that needs blobs alone."""
        with self._more:
            self._more.wait_for(lambda: self._waiting or self._closed)
            if not self._waiting:
                return None
            batch = [self._waiting.popleft()]
            while batch[0]["type"] in messages.SMALL and self._waiting and len(batch) < MOST_TOGETHER:
                if self._waiting[0]["type"] not in messages.SMALL:
                    break
                batch.append(self._waiting.popleft())
            return batch

    def _write(self, batch: list[Message]) -> None:
        match batch[0]["type"]:
            case "checkpoint":
                self._checkpoint(batch[0])
            case "finished":
                self._finish(batch[0])
            case "ingested":
                self._ingested(batch[0])
            case "explained":
                self._explained(batch[0])
            case "part":
                self._part(batch[0])
            case "predicted":
                self._predicted(batch[0])
            case "paused":
                self.paused_step = batch[0]["step"]
            case "error":
                self.error = batch[0]
            case _:
                self._record(batch)

    def patiently(self, write: Callable[[], None]) -> None:
        """Run a write until the database takes it.

        Raises:
            LeaseLost: the lease ended before it did.
        """
        while True:
            try:
                return write()
            except (OperationalError, PoolTimeout) as error:
                log.get(__name__).warning("database_away", error=str(error).splitlines()[0])
                if self._gave_up.wait(RETRY_SECONDS):
                    raise LeaseLost("the lease ended while the database was away") from error

    def _transact(self, write: Callable[[Session], object]) -> None:
        def attempt() -> None:
            with self._database.transaction() as session:
                write(session)

        self.patiently(attempt)

    def _record(self, batch: list[Message]) -> None:
        entries: list[Event | Points] = []
        changes: dict[str, Any] = {}
        for message in batch:
            entries += messages.entries(message)
            changes |= messages.changes(message)
            if message["type"] == "started":
                self._progress = {name: message[name] for name in ("step", "total_steps", "epoch", "epochs")}
            if "step" in message and message["type"] != "stop_step":
                self._progress |= {"step": message["step"], "epoch": message.get("epoch", self._progress["epoch"])}
            if message["type"] == "stop_step":
                self._progress["total_steps"] = message["step"]
            if message["type"] == "stage":
                entries += self._stage(message)
        if self._progress:  # a line may be printed before the training has started
            changes["progress"] = dict(self._progress)

        self._transact(lambda session: jobs.record(session, self._claim.lease, entries, **changes))

    def _stage(self, message: Message) -> list[Event]:
        """How far a job without epochs is; a stage that begins is told."""
        began = self._progress.get("stage") != message["stage"]
        self._progress = {"stage": message["stage"], "step": message["done"], "total_steps": message["total"]}
        return [Event("stage", message["stage"], {"total": message["total"]})] if began else []

    def _blob(self, path: str) -> str:
        return self._blob_and_size(path, compress=False)[0]

    def _blob_and_size(self, path: str, *, compress: bool = True) -> tuple[str, int]:
        stored = ("", 0)

        def write() -> None:
            nonlocal stored
            stored = blobs.write_file(self._database, Path(path), compress=compress)

        self.patiently(write)
        Path(path).unlink()
        return stored

    def _checkpoint(self, message: Message) -> None:
        entry = CheckpointEntry(
            step=message["step"],
            epoch=message["epoch"],
            best=message["best"],
            last=True,
            metrics=message["metrics"],
            weights_sha256=self._blob(message["weights"]),
            state_sha256=self._blob(message["state"]),
        )
        self._keep(entry)
        if entry.best:
            self._best_step = entry.step
        self._stored()

    def _keep(self, entry: CheckpointEntry) -> None:
        replaced: list[str] = []

        def write(session: Session) -> None:
            replaced[:] = jobs.checkpoint(session, self._claim.lease, entry)

        self._transact(write)
        self._forget(replaced)

    def _forget(self, replaced: list[str]) -> None:
        def forget() -> None:
            for sha256 in replaced:
                blobs.free(self._database, sha256)

        self.patiently(forget)

    def _finish(self, message: Message) -> None:
        weights = self._blob(message["weights"])
        onnx = self._blob(message["onnx"]) if message["onnx"] else None
        metrics = {"validation": message["validation"], "test": message["test"]}
        best = {"step": message["best_step"], "epoch": message["best_epoch"]}
        if self._claim.kind == "train" and self._best_step != best["step"]:
            kept = {"best": True, "last": False, "metrics": message["validation"], "state_sha256": None}
            self._keep(CheckpointEntry(**best, **kept, weights_sha256=weights))

        def write() -> None:
            with self._database.transaction() as session:
                job = session.get_one(Job, self._claim.lease.job_id)
                version = None
                if job.model is not None:
                    assert job.dataset_id is not None, "what is measured has a dataset"
                    made_by, spec = messages.training(job)
                    version = NewVersion(
                        job_id=made_by if session.get(Job, made_by) is not None else None,
                        dataset_id=job.dataset_id,
                        checkpoint_step=best["step"],
                        weights_sha256=weights,
                        onnx_sha256=onnx,
                        reason=message["reason"],
                        parameters=job.parameters,
                        preprocessing=message["preprocessing"],
                        metrics=metrics,
                        spec=spec,
                    )
                jobs.succeed(session, self._claim.lease, messages.result(job, message, weights), version)

        self.patiently(write)
        self.succeeded = True

    def _ingested(self, message: Message) -> None:
        sha256, size = self._blob_and_size(message["path"])
        manifest, name = message["manifest"], self._claim.spec["dataset"]
        new = NewDataset(
            name=name, splits=message["splits"], findings=message["findings"], size=size, sha256=sha256, **manifest
        )

        def write() -> None:
            with self._database.transaction() as session:
                job = session.get_one(Job, self._claim.lease.job_id)
                result = {
                    "splits": message["splits"],
                    "findings": message["findings"],
                    "seconds": messages.seconds(job),
                }
                jobs.ingested(session, self._claim.lease, new, result)

        self.patiently(write)
        self.succeeded = True

    def _explained(self, message: Message) -> None:
        self._transact(lambda session: jobs.explained(session, self._claim.lease, message["result"]))
        self.succeeded = True

    def _part(self, message: Message) -> None:
        sha256, size = self._blob_and_size(message["path"])
        part = Part(message["done"], size, sha256, message["state"])
        self._transact(lambda session: jobs.add_part(session, self._claim.lease, part))
        self._stored()

    def _predicted(self, message: Message) -> None:
        sha256, size = self._blob_and_size(message["path"])
        freed: list[str] = []

        def write(session: Session) -> None:
            job = session.get_one(Job, self._claim.lease.job_id)
            whole = Part(message["done"], size, sha256, {})
            freed[:] = jobs.predicted(session, self._claim.lease, whole, messages.predicted(job, message, whole))

        self._transact(write)
        self.succeeded = True
        self._forget(freed)

"""The client's calls about jobs."""

import os
import time
import uuid
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from epochd import download, stream
from epochd.calls import Calls, segment
from epochd.errors import ConnectionFailed, EpochdError, JobNotFinished
from epochd.resources import ENDED, Checkpoint, Estimate, Event, Job, Metrics


class JobCalls(Calls):
    """Submit jobs, steer them, watch them, and fetch what they made."""

    def submit(self, spec: Mapping[str, Any], *, idempotency_key: str | None = None) -> Job:
        """Queue a job; ``spec`` is the body of ``POST /v1/jobs``.

        However often the connection is lost on the way, one call makes one job. To be as safe across calls (or across
        restarts of your program), give your own ``idempotency_key`` and repeat it; it is remembered for 24 hours.
        """
        headers = {"Idempotency-Key": idempotency_key or uuid.uuid4().hex}
        job: Job = self._transport.json("POST", "/v1/jobs", body=dict(spec), headers=headers, repeatable=True)
        return job

    def estimate(self, spec: Mapping[str, Any]) -> Estimate:
        """What a job would take (layers, FLOPs, memory, time) and whether a worker could run it; nothing is queued.

        ``spec`` is the body of ``POST /v1/jobs``.
        """
        estimate: Estimate = self._transport.json("POST", "/v1/estimates", body=dict(spec), repeatable=True)
        return estimate

    def job(self, job_id: str) -> Job:
        """One job, with its layers."""
        job: Job = self._transport.json("GET", f"/v1/jobs/{segment(job_id)}")
        return job

    def jobs(
        self,
        *,
        status: str | None = None,
        kind: str | None = None,
        dataset: str | None = None,
        model: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> Iterator[Job]:
        """All jobs that match, newest first; further pages are fetched as you go."""
        filters: dict[str, Any] = {"status": status, "kind": kind, "dataset": dataset, "model": model}
        filters |= {f"metadata[{name}]": value for name, value in (metadata or {}).items()}
        return self._pages("/v1/jobs", filters)

    def cancel(self, job_id: str) -> Job:
        """Ask for a job's end; the training process is gone within a second."""
        return self._action(job_id, "cancel")

    def pause(self, job_id: str) -> Job:
        """Ask a job to save a checkpoint and let go of its worker."""
        return self._action(job_id, "pause")

    def resume(self, job_id: str) -> Job:
        """Put a paused job back in line; it goes on from its last checkpoint."""
        return self._action(job_id, "resume")

    def replay(self, job_id: str, *, idempotency_key: str | None = None) -> Job:
        """Train again what a job that succeeded trained; gives the new job, which makes no model version.

        Once it has succeeded, its ``result["replay"]`` says whether the weights match. One call makes one job, as with
        ``submit``.
        """
        headers = {"Idempotency-Key": idempotency_key or uuid.uuid4().hex}
        job: Job = self._transport.json("POST", f"/v1/jobs/{segment(job_id)}/replay", headers=headers, repeatable=True)
        return job

    def delete(self, job_id: str) -> None:
        """Delete an ended job and its history. Model versions made by it stay."""
        self._transport.send("DELETE", f"/v1/jobs/{segment(job_id)}")

    def events(self, job_id: str, *, after: int | None = None) -> Iterator[Event]:
        """A job's history in order, after sequence number ``after``."""
        for event in self._pages(f"/v1/jobs/{segment(job_id)}/events", {"order": "asc"}):
            if after is None or event["seq"] > after:
                yield event

    def metrics(self, job_id: str, *, names: Sequence[str] = (), max_points: int | None = None) -> Metrics:
        """A job's curves, each down-sampled to at most ``max_points``; all of them if ``names`` is empty."""
        params: dict[str, Any] = {"name": list(names) or None, "max_points": max_points}
        metrics: Metrics = self._transport.json("GET", f"/v1/jobs/{segment(job_id)}/metrics", params=params)
        return metrics

    def follow(
        self,
        job_id: str,
        *,
        after: int = 0,
        patience: float = 120.0,
        timeout: float | None = None,
        on_lost: Callable[[ConnectionFailed], None] | None = None,
    ) -> Generator[stream.Update, None, None]:
        """Events and metric points as they happen, from sequence number ``after`` on, until the job has ended.

        Survives restarts of the service: it reconnects, and nothing is told twice or left out. After ``patience``
        seconds without an answer it gives up with ConnectionFailed; ``on_lost`` is called before each new try. After
        ``timeout`` seconds the generator ends, whatever the job does.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        return stream.follow(
            self._transport, segment(job_id), after=after, patience=patience, deadline=deadline, on_lost=on_lost
        )

    def wait(self, job_id: str, timeout: float | None = None) -> Job:
        """Wait until a job has ended (succeeded, failed or cancelled) and return it.

        Raises:
            JobNotFinished: ``timeout`` seconds have passed; the job goes on.
        """
        job = self.job(job_id)
        if job["status"] not in ENDED:
            for _ in self.follow(job_id, after=job["last_seq"], timeout=timeout):
                pass
            job = self.job(job_id)
        if job["status"] not in ENDED:
            raise JobNotFinished(job_id, timeout or 0.0)
        return job

    def checkpoints(self, job_id: str) -> Iterator[Checkpoint]:
        """The checkpoints that are kept of a job."""
        return self._pages(f"/v1/jobs/{segment(job_id)}/checkpoints", {})

    def download_weights(
        self,
        job_id: str,
        path: str | os.PathLike[str],
        checkpoint: str = "best",
        *,
        progress: Callable[[int], None] | None = None,
    ) -> Checkpoint:
        """Save a checkpoint's weights as safetensors; ``checkpoint`` is an id, ``best`` or ``last``.

        A broken-off download goes on where it stopped, the SHA-256 is checked, and ``path`` appears only when whole.

        Raises:
            EpochdError: the job has no such checkpoint.
        """
        chosen = self.checkpoint(job_id, checkpoint)
        where = f"/v1/jobs/{segment(job_id)}/checkpoints/{segment(chosen['id'])}/weights"
        download.fetch(self._transport, where, chosen["weights_sha256"], Path(path), progress)
        return chosen

    def checkpoint(self, job_id: str, which: str = "best") -> Checkpoint:
        """One checkpoint of a job: ``best``, ``last``, or by its id.

        Raises:
            EpochdError: the job has no such checkpoint.
        """
        kept = list(self.checkpoints(job_id))
        for chosen in kept:
            if chosen["id"] == which or (which in ("best", "last") and chosen[which]):  # type: ignore[literal-required]
                return chosen
        if not kept:
            raise EpochdError(f"{job_id} has no checkpoint yet")
        known = ", ".join(f"{one['id']} (step {one['step']})" for one in kept)
        raise EpochdError(f"{job_id} has no checkpoint {which!r}; there are: {known}")

    def _action(self, job_id: str, verb: str) -> Job:
        job: Job = self._transport.json("POST", f"/v1/jobs/{segment(job_id)}/{verb}", repeatable=True)
        return job

"""Training again what a job trained, from what is stored of it, to see whether the same weights come out."""

from typing import Any

from sqlalchemy.orm import Session

from core import fleet, ids
from core.db import now
from core.environment import differences
from core.errors import Conflict
from core.jobs.events import Event, append, locked
from core.tables import Job


def replay(session: Session, tenant: str, job_id: str) -> Job:
    """Put the training of a job that succeeded into the line once more; the new job makes no model version.

    Its spec, dataset version, weights to start from, thread count, device and last step are those of the original, and
    so is everything that decides a bit but libraries and hardware. A replay of a replay is another of its original.

    Raises:
        NotFound: no such job, or it is another tenant's.
        Conflict: there are no weights to compare with, or no worker could ever run it.
    """
    original = locked(session, job_id, tenant)
    if original.kind != "train":
        raise Conflict(f"only trainings can be replayed, and this job is of the kind {original.kind}")
    if original.state != "succeeded":
        raise Conflict(f"the job is {original.state}; only a training that succeeded has weights to compare with")
    result, compare = original.result, original.replay or _compare(original)
    assert result is not None, "a job that succeeded has a result"
    device = original.device if compare["environment"] is None else compare["environment"]["device"]
    at = now(session)
    known = fleet.known(session, at)
    need = fleet.Need(device, original.devices, original.memory_bytes)
    best = fleet.largest(known, need) or next(iter(known), None)
    reason = None if best is None else fleet.misfit(best, need)
    if reason is not None:
        raise Conflict(f"no worker can run this job again: {reason}")
    timed = original.spec["hyperparameters"]["seconds"] is not None
    job = Job(
        id=ids.new("job"),
        tenant=tenant,
        kind=original.kind,
        state="queued",
        priority=original.priority,
        device=device,
        devices=original.devices,
        spec={**original.spec, "model": None, "device": device},
        labels=original.labels,
        dataset_id=original.dataset_id,
        parameters=original.parameters,
        memory_bytes=original.memory_bytes,
        flops=original.flops,
        vocabulary=original.vocabulary,
        checkpoint_seconds=original.checkpoint_seconds,
        timeout_seconds=original.timeout_seconds,
        max_attempts=original.max_attempts,
        threads=original.threads,
        stop_step=result["steps"] if timed else None,
        replay=compare,
        created_at=at,
        ticket_sent_at=at,
        last_seq=0,
        attempt=0,
    )
    session.add(job)
    session.flush()
    append(
        session, job, Event("queued", f"It trains again what {compare['of']} trained.", {"replay_of": compare["of"]})
    )
    return job


def _compare(original: Job) -> dict[str, Any]:
    """What a replay is compared with. A copy: the original may be deleted meanwhile."""
    assert original.result is not None
    return {
        "of": original.id,
        "weights_sha256": original.result["weights_sha256"],
        "environment": original.result.get("environment"),  # older versions did not note it
        "resumed": original.resume_reason if original.resume == "approximate" else None,
    }


def compared(job: Job, result: dict[str, Any]) -> dict[str, Any]:
    """Whether a replay, whose result this is, made the weights of its original, and what was not the same."""
    assert job.replay is not None
    before = job.replay["environment"]
    differing = ["the original's libraries and hardware were not noted"]
    if before is not None:
        differing = differences(before, result["environment"])
    if job.replay["resumed"] is not None:
        differing.append(f"the original was resumed elsewhere: {job.replay['resumed']}")
    if job.resume == "approximate":
        differing.append(f"the replay was resumed elsewhere: {job.resume_reason}")
    return {
        "of": job.replay["of"],
        "match": result["weights_sha256"] == job.replay["weights_sha256"],
        "weights_sha256": result["weights_sha256"],
        "original_sha256": job.replay["weights_sha256"],
        "differences": differing,
    }


def told(found: dict[str, Any]) -> Event:
    """The event that says how a replay compares."""
    differing = "; ".join(found["differences"])
    if found["match"]:
        though = f", though {differing}" if differing else ""
        return Event("replay", f"The weights are those of {found['of']}, bit for bit{though}.", found)
    why = f": {differing}" if differing else ", though all was the same that is noted"
    return Event("replay", f"The weights differ from those of {found['of']}{why}.", found, "warning")

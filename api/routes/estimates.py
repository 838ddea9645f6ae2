"""Estimates: what a job would take, answered at once and without queueing."""

from typing import cast

from fastapi import APIRouter, Response

from api import express, objects
from api.answers import documented, json
from api.deps import Caller, DatabaseDep
from api.objects import estimates
from core import fleet
from core.estimates import Estimate, Verdict, estimate
from core.jobs.pace import Pace
from core.plan_memory import Memory
from core.specs import TrainJob

router = APIRouter(prefix="/v1/estimates", tags=["estimates"])


@router.post("", responses=documented(objects.Estimate))
def estimate_job(body: TrainJob, caller: Caller, database: DatabaseDep) -> Response:
    """What a training would take: layers, FLOPs, memory, time, and whether a worker could run it. Nothing is queued.

    The body is that of `POST /v1/jobs`, and it is refused in the same words when it can never train.
    """
    with database.reading() as session:
        return json(_shown(estimate(session, caller.tenant, body), caller.tenant))


def _shown(found: Estimate, tenant: str) -> objects.Estimate:
    plan, dataset, time = found.plan, found.dataset, found.time
    return {
        "object": "estimate",
        "dataset": {"id": dataset.id, "name": dataset.name, "version": dataset.version},
        "parameters": plan.parameters,
        "flops_per_sample": plan.flops,
        "training_flops": found.length.flops(plan.flops),
        "layers": express.layers(plan),
        "samples_per_epoch": found.length.samples_per_epoch,
        "steps_per_epoch": found.length.steps_per_epoch,
        "total_steps": found.length.steps,
        "memory": _memory(found.memory),
        "seconds_per_epoch": time.per_epoch,
        "seconds_total": time.total,
        "reason": time.reason,
        "basis": None if time.pace is None else _basis(time.pace, tenant),
        "verdict": _verdict(found.verdict),
    }


def _memory(memory: Memory) -> estimates.Memory:
    return {
        "training_bytes": memory.training_bytes,
        "dataset_bytes": memory.dataset_bytes,
        "total_bytes": memory.total_bytes,
        "least_bytes": memory.least_bytes,
        "parts": cast(estimates.MemoryParts, memory.parts),
    }


def _basis(pace: Pace, tenant: str) -> estimates.Basis:
    return {"match": pace.match, "job": pace.like.id if pace.like.tenant == tenant else None}


def _verdict(verdict: Verdict) -> estimates.Verdict:
    return {
        "fits": verdict.fits,
        "reason": verdict.reason,
        "largest_batch_size": verdict.largest_batch_size,
        "workers": [
            {
                "id": worker.id,
                "name": worker.name,
                "slot_bytes": fleet.slot_bytes(worker),
                "fits": reason is None,
                "reason": reason,
            }
            for worker, reason in verdict.workers
        ],
    }

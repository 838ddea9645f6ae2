"""What a child says, and what of it is written: events, metrics, columns of the job."""

import time
from typing import Any

from core.jobs import Event, Part, Points
from core.tables import Job

Message = dict[str, Any]
RESULTS = ("checkpoint", "finished", "ingested", "explained", "part", "predicted")
"""Of a job that was cancelled they are not written."""
SMALL = ("started", "first_step", "stop_step", "stage", "warning", "metrics", "log")


def entries(message: Message) -> list[Event | Points]:
    """What a message adds to the job's history."""
    match message["type"]:
        case "started":
            named = ("step", "steps_per_epoch", "total_steps", "threads", "device", "devices")
            data = {name: message[name] for name in named}
            threads = "1 thread" if message["threads"] == 1 else f"{message['threads']} threads"
            on_disk = "" if message["in_memory"] else ", its samples left on disk"
            device = message["device"] if message["devices"] == 1 else f"{message['devices']} x {message['device']}"
            text = f"Training on {device} with {threads} from step {message['step']}{on_disk}."
            inexact = [Event("warning", f"The resumed run is approximate: {message['reason']}.", {}, "warning")]
            return [Event("started", text, data), *([] if message["exact"] else inexact)]
        case "first_step":
            data = {"step": message["step"], "seconds": message["seconds"]}
            return [Event("first_step", f"Step {message['step']} is done.", data)]
        case "metrics":
            return [Points([(name, message["step"], value) for name, value in message["values"].items()])]
        case "log":
            return [Event("log", line, {"stream": "output", "line": line}) for line in message["lines"]]
        case "warning":
            return [Event("warning", message["message"], {}, "warning")]
        case "stage":
            return []  # the recorder tells of it when it begins
        case "stop_step":
            text = f"The time given allows {message['step']} steps."
            return [Event("stop_step", text, {"step": message["step"]})]
    raise AssertionError(f"unknown message {message['type']}")


def changes(message: Message) -> dict[str, Any]:
    """The columns of the job that a message sets."""
    if message["type"] == "started":
        exact = "exact" if message["exact"] else "approximate"
        planned = {name: message[name] for name in ("parameters", "flops", "vocabulary")}
        return {"resume": exact, "resume_reason": message["reason"], "threads": message["threads"], **planned}
    return {"stop_step": message["step"]} if message["type"] == "stop_step" else {}


def training(job: Job) -> tuple[str, dict[str, Any]]:
    """The id and the spec of the training whose weights a job ends with: its own, or that of a checkpoint."""
    return (job.id, job.spec) if job.kind == "train" else (job.spec["job"], job.spec["trained"])


def result(job: Job, message: Message, weights: str) -> dict[str, Any]:
    """What a training reached, as its job keeps it."""
    kept = ("task", "test", "validation", "best_step", "best_epoch", "stopped", "confusion_matrix", "per_class")
    own = {name: message[name] for name in (*kept, "classes", "baseline", "forecasts", "environment")}
    own |= {"steps": message["step"], "epochs": message["epoch"], "seconds": seconds(job), "weights_sha256": weights}
    return own


def predicted(job: Job, message: Message, whole: Part) -> dict[str, Any]:
    """What came of answering a data set, as its job keeps it."""
    model, _, version = job.spec["model"].rpartition(":")
    return {
        "model": model,
        "model_version": int(version),
        "split": job.spec["split"],
        "format": job.spec["format"],
        "rows": whole.done,
        "size_bytes": whole.size,
        "sha256": whole.sha256,
        **{name: message[name] for name in ("scores", "scores_reason", "confusion_matrix", "classes")},
        "seconds": seconds(job),
    }


def seconds(job: Job) -> float:
    """How long a job has run, over all its attempts."""
    return round(job.ran_seconds + (time.time() - job.claimed_at.timestamp() if job.claimed_at else 0.0), 3)

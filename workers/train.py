"""The job kind ``train``: what its child process does. It holds torch; the worker resolves it by name."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.encode.text import Tokens
from core.specs import TrainSpec
from models import checkpoint, events, export, networks, training
from models.data import splits
from models.data.splits import Dataset
from workers.child import Control


def run(task: dict[str, Any], control: Control, report: Callable[..., None]) -> None:
    """Train, reporting every event; checkpoints go through files in the scratch folder."""
    scratch = Path(task["scratch"])
    spec = TrainSpec.model_validate(task["spec"])
    dataset = splits.load(Path(task["dataset"]), None if task["in_memory"] else scratch)
    resume = checkpoint.load(*(Path(path) for path in task["resume"])) if task["resume"] else None
    start = None
    if task["start"] is not None:
        given = task["start"]
        tokens = None if given["tokens"] is None else Tokens.from_dict(given["tokens"])
        start = training.Start(checkpoint.load_weights(Path(given["weights"])), given["keep_head"], tokens)
    last = time.monotonic()

    def due() -> bool:
        # One at a time: while the supervisor stores the last one, training goes on and none is due.
        return not control.storing and time.monotonic() - last >= task["checkpoint_seconds"]

    run = training.fit(
        spec,
        dataset,
        resume=resume,
        start=start,
        threads=task["threads"],
        device=task["device"],
        devices=task["devices"],
        stop_step=task["stop_step"],
        pause=lambda: control.pausing,
        due=due,
    )
    started = time.monotonic()
    for event in run:
        match event:
            case events.Started():
                report(
                    type="started",
                    step=event.step,
                    epoch=event.epoch,
                    total_steps=event.total_steps,
                    epochs=event.epochs,
                    steps_per_epoch=event.steps_per_epoch,
                    parameters=event.plan.parameters,
                    flops=event.plan.flops,
                    vocabulary=event.plan.vocabulary,
                    threads=event.threads,
                    in_memory=task["in_memory"],
                    device=event.device,
                    devices=event.devices,
                    exact=event.exact,
                    reason=event.reason,
                )
            case events.FirstStep():
                report(type="first_step", step=event.step, seconds=round(time.monotonic() - started, 4))
            case events.Metrics():
                report(type="metrics", step=event.step, epoch=event.epoch, values=event.values)
            case events.StopStep():
                report(type="stop_step", step=event.step)
            case events.Checkpointed():
                control.storing = True
                weights, state = checkpoint.save(event.checkpoint, scratch)
                report(
                    type="checkpoint",
                    step=event.step,
                    epoch=event.epoch,
                    best=event.best,
                    metrics=event.values,
                    weights=str(weights),
                    state=str(state),
                )
                last = time.monotonic()
            case events.Paused():
                report(type="paused", step=event.step)
            case events.Finished():
                report(type="finished", **finish(event, dataset, scratch))


def finish(event: events.Finished, dataset: Dataset, scratch: Path) -> dict[str, Any]:
    """Export the best weights, check the export, and say how the run ended."""
    onnx, reason = _export(event, dataset.manifest["classes"])
    path = scratch / "model.onnx"
    if onnx is not None:
        path.write_bytes(onnx)
    weights = checkpoint.save_weights(event.best.weights, scratch / "best.safetensors")
    return {
        "step": event.step,
        "epoch": event.epoch,
        "stopped": event.stopped,
        "best_step": event.best_step,
        "best_epoch": event.best_epoch,
        "validation": event.validation,
        "test": event.test,
        "confusion_matrix": event.confusion_matrix,
        "per_class": [
            {"class": name, **measured}
            for name, measured in zip(dataset.manifest["classes"], event.per_class, strict=True)
        ],
        "classes": dataset.manifest["classes"],
        "environment": event.best.manifest["environment"],
        "task": dataset.sample.task,
        "baseline": event.baseline,
        "forecasts": event.forecasts,
        "preprocessing": event.preprocessing.as_dict(),
        "weights": str(weights),
        "onnx": None if onnx is None else str(path),
        "reason": reason,
    }


def _export(event: events.Finished, classes: list[str]) -> tuple[bytes | None, str | None]:
    """The ONNX file, or why there is none: a training is not lost because its export fails."""
    network = networks.build(event.plan)
    network.load_state_dict(event.best.weights)
    try:
        about = export.metadata(event.preprocessing, classes)
        onnx = export.export(event.plan, event.best.weights, about)
    except ValueError as error:
        return None, str(error)
    reason = export.verify(onnx, network, event.plan)
    return (onnx, None) if reason is None else (None, reason)

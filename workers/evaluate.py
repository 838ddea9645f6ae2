"""The job kind ``evaluate``: what its child process does. It holds torch; the worker resolves it by name."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.specs import TrainSpec
from models import checkpoint, training
from models.data import splits
from workers.child import Control, give_way
from workers.train import finish

NICENESS = 10
"""It shares the processors with the trainings, and gives way to them."""


def run(task: dict[str, Any], control: Control, report: Callable[..., None]) -> None:
    """Measure a checkpoint's weights, export them, and end as their training would have ended with them."""
    give_way(NICENESS)
    scratch = Path(task["scratch"])
    dataset = splits.load(Path(task["dataset"]), scratch)
    weights = checkpoint.load_weights(Path(task["weights"]))
    spec = TrainSpec.model_validate(task["spec"])
    report(type="stage", stage="Measuring", done=0, total=1)
    found = training.measure(spec, dataset, weights, step=task["step"], epoch=task["epoch"], threads=task["threads"])
    report(type="stage", stage="Exporting", done=0, total=1)
    report(type="finished", **finish(found, dataset, scratch))

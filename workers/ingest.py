"""The job kind ``ingest``: what its child process does. Bytes from outside are parsed here, and nowhere else."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from core import ingest
from core.specs import IngestOptions
from workers.child import Control, give_way

NICENESS = 10
"""It shares the processors with the trainings, and gives way to them."""


def run(task: dict[str, Any], control: Control, report: Callable[..., None]) -> None:
    """Make a dataset file of the uploads, reporting how far it is and what was found."""
    give_way(NICENESS)
    scratch = Path(task["scratch"])
    output = scratch / "dataset.safetensors"
    made = ingest.ingest(
        [ingest.Upload(one["name"], Path(one["path"])) for one in task["uploads"]],
        IngestOptions.model_validate(task["options"]),
        output,
        scratch=scratch,
        limit_bytes=task["limit_bytes"],
        memory_bytes=task["memory_bytes"],
        source=task["source"],
        report=lambda stage, done, total: report(type="stage", stage=stage, done=done, total=total),
    )
    report(
        type="ingested",
        path=str(output),
        manifest=made.manifest,
        splits=made.splits,
        findings=made.findings,
    )

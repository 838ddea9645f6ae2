"""Train a job's body from start to end in this process, with no service around: prints the SHA-256 of the weights.

Run by the tests in a process of its own: ``python undisturbed.py DATASET BODY``.
"""

import hashlib
import json
import sys
from pathlib import Path

from safetensors.torch import save
from torch import Tensor

from core.specs import TrainJob
from models import events, training
from models.data import splits


def main() -> None:
    """Print {"last": ..., "best": ..., "steps": ...}."""
    dataset = splits.load(Path(sys.argv[1]))
    job = TrainJob.model_validate_json(sys.argv[2])
    found: dict[str, object] = {}
    for event in training.fit(job.training, dataset, threads=job.devices, devices=job.devices):
        if isinstance(event, events.Checkpointed):
            found["last"] = _sha256(event.checkpoint.weights)
        elif isinstance(event, events.Finished):
            found |= {"best": _sha256(event.best.weights), "steps": event.step}
    print(json.dumps(found))


def _sha256(weights: dict[str, Tensor]) -> str:
    return hashlib.sha256(save(weights, metadata={"format": "pt"})).hexdigest()


if __name__ == "__main__":
    main()

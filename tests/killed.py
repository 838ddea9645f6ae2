"""Trains undisturbed, and killed and gone on with: ``python killed.py < cases`` answers each line of JSON with one.

A case is {"dataset": a file, "spec", "step"}. Every training has a process of its own, forked from one that has torch
imported and computed nothing. The second one writes a checkpoint after every step that may have one and ends by SIGKILL
after ``step``; the third one goes on from its last whole one. The answer is {"undisturbed", "resumed"}: SHA-256 of
weights, optimizer, generators and best weights, all scores, and the metrics after the step that the third began with.
"""

import hashlib
import json
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

from forked import forked

sys.path.insert(0, str(Path(__file__).parents[1]))  # the repository: this file runs as a program

KEPT = "kept.json"


def ended(case: dict[str, Any], folder: Path) -> dict[str, Any]:
    """What a training ends with, from the beginning or from the checkpoint in the folder."""
    from core.specs import TrainSpec
    from models import checkpoint, events
    from models.data.splits import load
    from models.training import fit

    resume = None
    if (folder / KEPT).exists():
        resume = checkpoint.load(*map(Path, json.loads((folder / KEPT).read_text())))
    spec = TrainSpec.model_validate(case["spec"])
    found: dict[str, Any] = {"metrics": []}
    for event in fit(spec, load(case["dataset"]), threads=1, resume=resume):
        match event:
            case events.Started():
                found |= {"exact": event.exact, "from": event.step}
            case events.Metrics():
                found["metrics"].append([event.step, event.values])
            case events.Checkpointed():
                found |= {"weights": sha256(event.checkpoint.weights), "state": sha256(event.checkpoint.state)}
            case events.Finished():
                scores = [event.validation, event.test, event.confusion_matrix, event.baseline, event.best_step]
                found |= {"best": sha256(event.best.weights), "scores": scores}
    return found


def killed(case: dict[str, Any], folder: Path) -> None:
    """Train until ``step``, and end there without a word."""
    from core.specs import TrainSpec
    from models import checkpoint, events
    from models.data.splits import load
    from models.training import fit

    def pause() -> bool:  # asked after every step
        nonlocal steps
        steps += 1
        if steps == case["step"]:
            os.kill(os.getpid(), signal.SIGKILL)
        return False

    steps = 0
    spec = TrainSpec.model_validate(case["spec"])
    for event in fit(spec, load(case["dataset"]), threads=1, pause=pause, due=lambda: True):
        if isinstance(event, events.Checkpointed):
            paths = [str(path) for path in checkpoint.save(event.checkpoint, folder)]
            (folder / "part").write_text(json.dumps(paths))
            (folder / "part").rename(folder / KEPT)


def sha256(tensors: dict[str, Any]) -> str:
    """Of the bytes of all, by name."""
    whole = hashlib.sha256()
    for name in sorted(tensors):
        whole.update(name.encode() + b"\0" + tensors[name].numpy().tobytes())
    return whole.hexdigest()


def main() -> None:
    import models.training

    del models
    for line in sys.stdin:
        case = json.loads(line)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            undisturbed = forked(lambda case=case, folder=folder: ended(case, folder))
            assert forked(lambda case=case, folder=folder: killed(case, folder)) is None, "it was to be killed"
            resumed = forked(lambda case=case, folder=folder: ended(case, folder))
        print(json.dumps({"undisturbed": undisturbed, "resumed": resumed}), flush=True)


if __name__ == "__main__":
    main()

"""The job kind ``predict``: what its child process does. It computes with ONNX Runtime, as ``:predict`` does."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.encode import Preprocessing
from core.predictions import formats
from core.predictions.layout import Layout
from core.predictions.scores import Scores
from models.data import splits
from models.predict import Answering
from workers.child import Control

REPORT_SECONDS = 0.5


def run(task: dict[str, Any], control: Control, report: Callable[..., None]) -> None:
    """Answer what is left of the rows, reporting the parts that are to be stored and at last the whole file."""
    scratch, written = Path(task["scratch"]), Path(task["written"])
    layout = Layout.from_dict(task["layout"])
    form, scores = formats.make(task["format"], layout), Scores(layout, task["state"])
    dataset = splits.load(Path(task["dataset"]), scratch)
    asked = Answering(Path(task["graph"]), Preprocessing.from_dict(task["preprocessing"]), dataset, task["splits"])
    done = task["done"]
    told = stored = time.monotonic()
    report(type="stage", stage="Predicting", done=done, total=asked.count)
    with written.open("ab") as file:
        sent = file.tell()
        if not done:
            file.write(form.head())
        for answers in asked.run(done, task["threads"]):
            file.write(form.rows(answers))
            scores.add(answers)
            done += len(answers)
            now = time.monotonic()
            # one at a time: while the supervisor stores the last one, none is due
            due = not control.storing and now - stored >= task["checkpoint_seconds"]
            cut = done < asked.count and (due or control.pausing)
            if cut or now - told >= REPORT_SECONDS:
                told = now
                report(type="stage", stage="Predicting", done=done, total=asked.count)
            if cut:
                file.flush()
                control.storing = True
                part = _cut(written, sent, scratch / f"part-{done}")
                report(type="part", done=done, path=str(part), state=scores.state)
                sent, stored = file.tell(), time.monotonic()
                if control.pausing:
                    report(type="paused", step=done)
                    return
    output = scratch / "predictions"
    form.finish(written, output)
    report(type="predicted", done=done, path=str(output), **scores.result(), classes=list(layout.classes))


def _cut(written: Path, first: int, path: Path) -> Path:
    """A copy of what was written from a place on."""
    with written.open("rb") as source, path.open("wb") as target:
        source.seek(first)
        shutil.copyfileobj(source, target)
    return path

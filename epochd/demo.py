"""The demonstration: two networks learn handwritten digits at once, and are asked about digits they never saw."""

import json
import threading
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from epochd.art import draw, side_by_side
from epochd.client import Client
from epochd.errors import ConnectionFailed, EpochdError
from epochd.live import Bars, Run, lost, track
from epochd.resources import Job, Prediction, Sample

EXAMPLES = ("digits-cnn", "digits-rnn")
DIGITS, DIGIT_WIDTH, GAP = 8, 16, 3


def example(name: str) -> dict[str, Any]:
    """The spec ``examples/<name>.json``, from beside this package in the repository or inside the installed one."""
    here = Path(__file__).resolve().parent
    for folder in (here / "examples", here.parent / "examples"):
        if (folder / f"{name}.json").exists():
            spec: dict[str, Any] = json.loads((folder / f"{name}.json").read_text())
            return spec
    raise EpochdError(f"the example {name}.json is missing from this installation")


def show(client: Client, console: Console, stopping: threading.Event) -> list[Job]:
    """Train, tell, predict. Ends early, with the jobs that have ended, when ``stopping`` is set.

    Raises:
        EpochdError: the service refused, or went away for good.
    """
    jobs = [client.submit(example(name)) for name in EXAMPLES]
    ended = _train(client, console, jobs, stopping)
    if stopping.is_set():
        return ended
    console.print()
    console.print(_table(ended))
    answering = [job for job in ended if job["model"] is not None and job["model_version"] is not None]
    if answering:
        console.print()
        _predict(client, console, answering)
    return ended


def _train(client: Client, console: Console, jobs: Sequence[Job], stopping: threading.Event) -> list[Job]:
    """Follow all jobs at once, a thread and a bar each; returns them as they ended."""
    bars = Bars(console)
    ended: dict[str, Job] = {}
    failures: list[EpochdError] = []

    def follow(job: Job, name: str, run: Run) -> None:
        def on_lost(error: ConnectionFailed) -> None:
            bars.say(name, lost(error))

        try:
            for _ in track(bars, name, run, client.follow(job["id"], on_lost=on_lost)):
                pass
            ended[job["id"]] = client.job(job["id"])
        except EpochdError as error:
            failures.append(error)

    threads = []
    with bars.shown():
        for job in jobs:
            name, run = str(job["model"]), Run.of(job)
            bars.add(name, run)
            if not console.is_terminal:
                console.print(f"training {name} ({job['parameters']:,} parameters): {job['id']}")
            threads.append(threading.Thread(target=follow, args=(job, name, run), daemon=True))
            threads[-1].start()
        while any(thread.is_alive() for thread in threads) and not stopping.wait(0.1):
            pass
    if failures and not stopping.is_set():
        raise failures[0]
    return [ended[job["id"]] for job in jobs if job["id"] in ended]


def seconds(job: Job) -> float:
    """From the first step's preparation to the end of the job."""
    assert job["started_at"] is not None and job["finished_at"] is not None
    started, finished = (datetime.fromisoformat(job["started_at"]), datetime.fromisoformat(job["finished_at"]))
    return (finished - started).total_seconds()


def _table(jobs: Sequence[Job]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("job")
    table.add_column("parameters", justify="right")
    table.add_column("test accuracy", justify="right")
    table.add_column("seconds", justify="right")
    for job in jobs:
        if job["result"] is not None:
            last = [f"{job['result']['test']['accuracy']:.2%}", f"{seconds(job):.1f}"]
        else:
            last = [job["status"], job["error"]["message"] if job["error"] else ""]
        table.add_row(str(job["model"]), f"{job['parameters']:,}", *last)
    return table


def _predict(client: Client, console: Console, jobs: Sequence[Job]) -> None:
    samples = _different(client, "digits", DIGITS)
    inputs = [sample["values"] for sample in samples]
    answers = {
        str(job["model"]): client.predict(f"{job['model']}:{job['model_version']}", inputs, top=1) for job in jobs
    }
    console.print("Test digits, never shown in training, and what the models say:\n")
    plain = not console.encoding.lower().startswith("utf")
    blocks = [_block(sample, i, answers, plain) for i, sample in enumerate(samples)]
    in_a_row = max(1, min(len(blocks), (console.width + GAP) // (DIGIT_WIDTH + GAP)))
    for first in range(0, len(blocks), in_a_row):
        for line in side_by_side(blocks[first : first + in_a_row], GAP):
            console.print(line, markup=False, soft_wrap=True)
        console.print()


def _different(client: Client, dataset: str, count: int) -> list[Sample]:
    """The first test samples with ``count`` different labels."""
    found: dict[str, Sample] = {}
    for sample in client.samples(dataset, split="test"):
        found.setdefault(sample["label"], sample)
        if len(found) == count:
            break
    return list(found.values())


def _block(sample: Sample, i: int, answers: dict[str, Prediction], plain: bool) -> list[str]:
    """A digit as text, and under it the truth and each model's answer."""
    lines = [*draw(sample["values"], plain=plain), f"is a {sample['label']}"]
    for model, prediction in answers.items():
        answer = prediction["predictions"][i]
        wrong = "" if answer["class"] == sample["label"] else " wrong"
        lines.append(f"{model.removeprefix('digits-')}: {answer['class']} {answer['probability']:.1%}{wrong}")
    return lines

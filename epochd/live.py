"""Progress of running jobs on a terminal, made from their updates."""

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from epochd.errors import ConnectionFailed
from epochd.resources import Job
from epochd.stream import Update


@dataclass
class Run:
    """Where a job is, as far as its updates have told."""

    status: str = "queued"
    step: int = 0
    total_steps: int | None = None
    steps_per_epoch: int | None = None
    epochs: int | None = None
    values: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, job: Job) -> "Run":
        """Begin with what the job itself says."""
        run = cls(status=job["status"], epochs=(job["hyperparameters"] or {}).get("epochs"))
        if job["progress"] is not None:
            run.step, run.total_steps = job["progress"]["step"], job["progress"]["total_steps"]
            run.epochs = job["progress"]["epochs"]
        return run

    def apply(self, update: Update) -> None:
        """Go on by one update."""
        for point in update.points:
            self.step = max(self.step, point["step"])
            self.values[point["name"]] = point["value"]
        if update.event is None:
            return
        kind, data = update.event["type"], update.event["data"]
        if kind == "rewound":
            self.step = data["step"]
        elif kind == "started":
            self.status = "running"
            self.total_steps = data.get("total_steps") or self.total_steps
            self.steps_per_epoch = data.get("steps_per_epoch") or self.steps_per_epoch
        elif kind == "stage":
            self.status, self.total_steps = "running", data["total"]
        elif kind == "part":
            self.step = max(self.step, data["done"])
        elif kind == "checkpoint":
            self.step = max(self.step, data["step"])
        elif kind in ("queued", "paused", "succeeded", "failed", "cancelled"):
            self.status = kind
        elif kind in ("resumed", "handed_back", "lease_expired", "retry"):
            self.status = "queued"
        elif kind == "claimed":
            self.status = "starting"

    @property
    def epoch(self) -> int | None:
        """The epoch the last step belongs to, from 1."""
        if not self.steps_per_epoch:
            return None
        return max(1, -(-self.step // self.steps_per_epoch))

    def words(self) -> str:
        """The state in a few words: epoch, loss, accuracy (validation; training until there is one), bits or error."""
        if self.status not in ("running", "succeeded"):
            return self.status
        said = [f"epoch {self.epoch}/{self.epochs}" if self.epochs else f"epoch {self.epoch}"] if self.epoch else []
        if "train_loss" in self.values:
            said.append(f"loss {self.values['train_loss']:.4f}")
        accuracy = self.values.get("validation_accuracy", self.values.get("train_accuracy"))
        if accuracy is not None:
            said.append(f"accuracy {accuracy:.1%}")
        bits = self.values.get("validation_bits_per_character")
        if bits is not None:
            said.append(f"{bits:.3f} bits per character")
        error = self.values.get("validation_rmse")
        if error is not None:
            said.append(f"RMSE {error:.4g}")
        return " ".join(said) or self.status


class Bars:
    """Progress bars, one a job. On something that is no terminal they print nothing."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._progress = Progress(
            TextColumn("{task.description}"),
            # Narrow enough for all of it on 80 columns.
            BarColumn(bar_width=16),
            TaskProgressColumn(),
            TextColumn("{task.fields[words]}"),
            TimeRemainingColumn(compact=True, elapsed_when_finished=True),
            console=console,
            refresh_per_second=8,
            disable=not console.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}

    @contextmanager
    def shown(self) -> Generator[None, None, None]:
        """Show them while the context lasts; the last state stays on the screen."""
        with self._progress:
            yield

    def add(self, name: str, run: Run) -> None:
        """A new bar."""
        self._tasks[name] = self._progress.add_task(name, total=None, words=run.words())
        self.update(name, run)

    def update(self, name: str, run: Run) -> None:
        """Redraw a bar from its run."""
        total = run.total_steps if run.total_steps else (max(run.step, 1) if run.status == "succeeded" else None)
        done = total if run.status == "succeeded" else run.step
        self._progress.update(self._tasks[name], completed=done or 0, total=total, words=run.words())
        if run.status in ("succeeded", "failed", "cancelled"):
            self._progress.stop_task(self._tasks[name])

    def say(self, name: str, words: str) -> None:
        """Replace a bar's words until its next update."""
        self._progress.update(self._tasks[name], words=words)


def track(bars: Bars, name: str, run: Run, updates: Iterable[Update]) -> Generator[Update, None, None]:
    """Pass updates through, keeping the run and its bar up to date."""
    for update in updates:
        run.apply(update)
        bars.update(name, run)
        yield update


def lost(error: ConnectionFailed) -> str:
    """What to say while the service is away."""
    return f"waiting for the service ({error.reason})"

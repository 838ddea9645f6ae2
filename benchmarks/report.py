"""What a benchmark prints: a table for people, and with ``--json`` one last line for programs."""

import json
import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version


@dataclass(frozen=True)
class Row:
    """One measured figure: the median and the range of ``n`` rounds."""

    case: str
    variant: str
    unit: str
    median: float
    min: float
    max: float
    n: int


@dataclass(frozen=True)
class Goal:
    """What a figure should reach; ``op`` is <= or >=."""

    name: str
    value: float
    goal: float
    op: str
    met: bool


@dataclass
class Report:
    """The rows and goals of one run."""

    benchmark: str
    packages: Sequence[str]
    rows: list[Row] = field(default_factory=list)
    goals: list[Goal] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    peers: dict[str, str] = field(default_factory=dict)
    """The versions of what lies in other environments."""

    def row(self, case: str, variant: str, unit: str, values: Sequence[float]) -> Row:
        """Add the figures of several rounds."""
        made = Row(case, variant, unit, statistics.median(values), min(values), max(values), len(values))
        self.rows.append(made)
        return made

    def goal(self, name: str, value: float, op: str, goal: float) -> None:
        """Add a goal; missing one is a figure, not an error."""
        assert op in ("<=", ">=")
        self.goals.append(Goal(name, value, goal, op, value <= goal if op == "<=" else value >= goal))

    def note(self, text: str) -> None:
        """Add a line for people, once."""
        if text not in self.notes:
            self.notes.append(text)

    def show(self, as_json: bool) -> None:
        """Print it all."""
        for row in self.rows:
            spread = f"({row.min:.4g} - {row.max:.4g}, n={row.n})"
            print(f"{row.case:<32}{row.variant:<26}{row.median:>12.4g} {row.unit}  {spread}")
        for note in self.notes:
            print(note)
        for goal in self.goals:
            print(f"{goal.name:<54}{goal.value:>12.4g} {goal.op} {goal.goal:g}: {'met' if goal.met else 'MISSED'}")
        if as_json:
            found = {"benchmark": self.benchmark, "date": datetime.now(UTC).date().isoformat(), "device": device()}
            versions = {
                "python": platform.python_version(),
                **{name: version(name) for name in self.packages},
                **self.peers,
            }
            lists = {"rows": [asdict(row) for row in self.rows], "goals": [asdict(goal) for goal in self.goals]}
            print(json.dumps({**found, "versions": versions, **lists}))


def device() -> str:
    """The processor and how many of its cores this process may use."""
    with open("/proc/cpuinfo") as file:
        names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    return f"{len(os.sched_getaffinity(0))} cores of {names[0] if names else platform.machine()}"

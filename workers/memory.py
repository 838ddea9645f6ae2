"""Watching a child's memory, so that an out-of-memory kill can say so with numbers."""

from pathlib import Path
from typing import Any

_COUNTERS = (
    Path("/sys/fs/cgroup/memory.events"),  # cgroup v2
    Path("/sys/fs/cgroup/memory/memory.oom_control"),  # cgroup v1
    Path("/proc/vmstat"),
)
_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def _oom_kills() -> int:
    """Out-of-memory kills that the kernel has counted here so far."""
    for path in _COUNTERS:
        if not path.exists():
            continue
        for line in path.read_text().splitlines():
            name, _, count = line.partition(" ")
            if name == "oom_kill":
                return int(count)
    return 0


def total_bytes() -> int:
    """Memory that this machine, or this container, may use."""
    import psutil

    limits = [int(text) for path in _LIMITS if path.exists() and (text := path.read_text().strip()).isdigit()]
    return min([int(psutil.virtual_memory().total), *limits])


class Watch:
    """The peak resident memory of one process, and whether the kernel killed for memory meanwhile."""

    def __init__(self) -> None:
        self._kills = _oom_kills()
        self._peak = 0
        self.pid = 0

    def look(self) -> None:
        """Take the kernel's own high-water mark; a process that is gone keeps the last one seen."""
        try:
            status = Path(f"/proc/{self.pid}/status").read_text()
        except OSError:
            return
        for line in status.splitlines():
            if line.startswith("VmHWM:"):
                self._peak = max(self._peak, int(line.split()[1]) * 1024)

    def ran_out(self) -> bool:
        """Whether an out-of-memory kill was counted since this watch began."""
        return _oom_kills() > self._kills

    def detail(self) -> dict[str, Any]:
        """The numbers for the failure report."""
        return {"peak_memory_bytes": self._peak, "memory_limit_bytes": total_bytes()}

"""What one worker process holds: its settings, database, forkserver, place in the fleet, and devices."""

import os
import platform
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from core import fleet, ids, jobs, log
from core.broker import QUEUES, Tickets
from core.db import Database
from core.jobs import Claim
from core.reconciler import Reconciler, queues_for
from core.settings import Settings
from core.tables import Worker
from workers import memory
from workers.cache import Cache
from workers.forkserver import Forkserver
from workers.scratch import Scratch


class Runtime:
    """Wired once, when the worker starts."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.database = Database(settings.database, pool_size=4 + 3 * (settings.worker_slots + 1))
        self.forkserver = Forkserver()
        self.stopping = threading.Event()
        self.stopping_since: float | None = None
        self.cache = Cache(settings.data_dir / "cache" / "datasets", settings.dataset_cache_bytes)
        self._scratch = Scratch(settings.data_dir / "scratch")
        self._tickets = Tickets(settings.broker_url)
        self._free_gpus: list[str] = []
        self._free_slots: dict[jobs.Lane, int] = {"long": settings.worker_slots, "short": 1}
        self._turned_away: set[jobs.Lane] = set()
        self._lock, self._claiming = threading.Lock(), threading.Lock()

    def start(self) -> None:
        """Warm the forkserver, join the fleet, begin to reconcile."""
        found = self.forkserver.warm()
        gpus = found["cuda"]
        slots = self.settings.worker_slots
        self._free_gpus = [str(number) for number in range(len(gpus))]
        cpu = {"kind": "cpu", "name": platform.processor() or platform.machine(), "memory_bytes": memory.total_bytes()}
        row = Worker(
            id=ids.new("wrk"),
            name=self.settings.worker_name or f"{socket.gethostname()}-{os.getpid()}",
            host=socket.gethostname(),
            pid=os.getpid(),
            slots=slots,
            threads=self.settings.worker_threads or max(1, len(os.sched_getaffinity(0)) // slots),
            memory_bytes=memory.total_bytes(),
            devices=[cpu, *gpus],
            versions={"epochd": version("epochd"), "torch": found["torch"], "python": platform.python_version()},
        )
        with self.database.transaction() as session:
            self.worker = fleet.register(session, row)
        beat = Reconciler(self.database, self._tickets, self.settings.reconcile_seconds, self._beat)
        self._reconciler = beat
        beat.start()
        log.get(__name__).info("worker_ready", worker=row.name, slots=slots, threads=row.threads, gpus=len(gpus))

    @property
    def scratch(self) -> Path:
        """Where attempts keep their files."""
        return self._scratch.path

    @property
    def queues(self) -> list[str]:
        """The queues that this worker listens to."""
        return [QUEUES[kind] for kind in sorted({device["kind"] for device in self.worker.devices})]

    def _beat(self) -> None:
        with self.database.transaction() as session:
            if not fleet.seen(session, self.worker.id, "stopping" if self.stopping.is_set() else "online"):
                fleet.register(session, session.merge(self.worker))  # forgotten after a day of silence

    @contextmanager
    def claim(self, lane: jobs.Lane) -> Iterator[tuple[Claim, str] | None]:
        """The next job of a line, and its devices: "cuda:0,2", GPUs of its own, if enough are free, else "cpu".

        Nothing when no slot of that line is free: whoever holds one looks again when it is done.
        """
        while self._take_slot(lane):
            gpus: list[str] = []
            try:
                with self._claiming:  # whoever looks meanwhile would find no free GPU
                    gpus = self._take_gpus() if lane == "long" else []
                    claim = self._claim(lane, len(gpus))
                    taken = _gpus_of(claim, len(gpus))
                    self._give_gpus_back(gpus[taken:])
                    gpus = gpus[:taken]
                if claim is not None:
                    yield claim, f"cuda:{','.join(gpus)}" if gpus else "cpu"
                    return
            finally:
                self._give_gpus_back(gpus)
                again = self._give_slot_back(lane)
            if not again:
                break
        yield None

    def pass_on(self, job_id: str, passed: int) -> None:
        """Send a job's ticket again if its line has no free slot here and one elsewhere.

        A ticket is passed on a few times at most, since whoever takes it next may be as busy; the reconciler sends it
        again later.
        """
        with self.database.reading() as session:
            found = jobs.free_elsewhere(session, job_id, self.worker.id)
        if found is None:
            return
        device, lane, others = found
        with self._lock:
            free = self._free_slots[lane]
        if not free and passed < 2 * others:
            for queue in queues_for(device, {one["kind"] for one in self.worker.devices}):
                self._tickets.send(job_id, queue, passed + 1)

    def _claim(self, lane: jobs.Lane, gpus: int) -> Claim | None:
        devices = {"cpu", "cuda"} if gpus else {"cpu"}
        with self.database.transaction() as session:
            return jobs.claim(session, self.worker, self.settings.lease_seconds, devices, lane, gpus)

    def _take_slot(self, lane: jobs.Lane) -> bool:
        with self._lock:
            if self.stopping.is_set():
                return False
            if not self._free_slots[lane]:
                self._turned_away.add(lane)
                return False
            self._turned_away.discard(lane)
            self._free_slots[lane] -= 1
            return True

    def _take_gpus(self) -> list[str]:
        with self._lock:
            free, self._free_gpus = self._free_gpus, []
            return free

    def _give_gpus_back(self, gpus: list[str]) -> None:
        with self._lock:
            self._free_gpus = sorted([*self._free_gpus, *gpus], key=int)

    def _give_slot_back(self, lane: jobs.Lane) -> bool:
        """Free a slot; whether a ticket found none free meanwhile, so that its job may wait unseen."""
        with self._lock:
            self._free_slots[lane] += 1
            return lane in self._turned_away

    def stop(self) -> None:
        """Begin to leave: claim nothing more; the supervisors hand their jobs back."""
        self.stopping_since = time.monotonic()
        self.stopping.set()

    def close(self) -> None:
        """Leave the fleet."""
        self._reconciler.stop()
        with self.database.transaction() as session:
            fleet.seen(session, self.worker.id, "stopped")
        self._tickets.close()
        self.database.close()
        self._scratch.remove()


def _gpus_of(claim: Claim | None, free: int) -> int:
    """How many of the free GPUs a job takes: as many as it asked for, or none."""
    if claim is None or claim.kind != "train" or claim.spec["device"] == "cpu":
        return 0
    devices: int = claim.spec.get("devices", 1)
    return devices if devices <= free else 0

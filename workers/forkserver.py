"""Starting child processes from a forkserver that has torch imported.

All starts go through one thread that lives as long as the worker: the kernel's death signal is bound to the thread that
started the forkserver. One lock guards every start and every reading of an exit code: they share a pipe.
"""

import contextlib
import json
import multiprocessing
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from typing import Any

# glibc gives large blocks back to the kernel after every step otherwise: dozens of page faults an image. Huge pages,
# where the kernel gives them to whoever asks for them (madvise(2)), make a step faster still.
# OpenMP's threads spin while they wait; beside other processes on the same cores that slows a training many times over.
ENVIRONMENT = {
    "OMP_WAIT_POLICY": "PASSIVE",
    "MALLOC_MMAP_THRESHOLD_": "4294967296",
    "MALLOC_TRIM_THRESHOLD_": "8589934592",
    "MALLOC_TOP_PAD_": "268435456",
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
}
FORKSERVER_LOST = 255

_Order = tuple[Future[ForkServerProcess], Callable[..., None], tuple[Any, ...]]


def _describe(answer: Connection) -> None:
    """Child entry: whether torch was there already, and what it sees. The worker's own process stays torch-free."""
    preloaded = "torch" in sys.modules
    import torch

    gpus = [torch.cuda.get_device_properties(number) for number in range(torch.cuda.device_count())]
    cuda = [{"kind": "cuda", "name": gpu.name, "memory_bytes": gpu.total_memory} for gpu in gpus]
    # JSON: the version is an object of torch's, and to unpickle it would import torch into the worker's own process
    answer.send_bytes(json.dumps({"preloaded": preloaded, "torch": torch.__version__, "cuda": cuda}).encode())


class Forkserver:
    """Starts and reaps child processes."""

    def __init__(self) -> None:
        os.environ.update({name: value for name, value in ENVIRONMENT.items() if name not in os.environ})
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["workers.preload"])
        self._lock = threading.Lock()
        self._orders: queue.Queue[_Order] = queue.Queue()
        threading.Thread(target=self._start_all, name="starter", daemon=True).start()

    def _start_all(self) -> None:
        while True:
            future, target, arguments = self._orders.get()
            try:
                process = self._context.Process(target=target, args=arguments)
                with self._lock:
                    process.start()
                future.set_result(process)
            except Exception as error:  # whoever asked must hear of it, and this thread must live
                future.set_exception(error)

    def start(self, target: Callable[..., None], *arguments: Any) -> ForkServerProcess:
        """Start a child; the arguments travel by pickle, so pass plain data and connections."""
        future: Future[ForkServerProcess] = Future()
        self._orders.put((future, target, arguments))
        return future.result()

    def reap(self, process: ForkServerProcess) -> int:
        """The exit code of a child that is gone (negative: the signal that ended it); its group is killed."""
        assert process.pid is not None
        with self._lock:
            process.join(5)
            code = process.exitcode
        _ignore_gone(os.killpg, process.pid)
        return FORKSERVER_LOST if code is None else code

    def pipe(self) -> tuple[Any, Any]:
        """A one-way (reader, writer) pair of connections."""
        return self._context.Pipe(duplex=False)

    def warm(self) -> dict[str, Any]:
        """Start the forkserver and wait until it answers: the version of ``torch``, and the ``cuda`` devices.

        Raises:
            RuntimeError: its preload failed, so every job would import torch anew.
        """
        reader, writer = self.pipe()
        process = self.start(_describe, writer)
        writer.close()
        try:
            found: dict[str, Any] = json.loads(reader.recv_bytes())
        except EOFError:
            found = {"preloaded": False}
        reader.close()
        self.reap(process)
        if not found["preloaded"]:
            raise RuntimeError("the forkserver could not import torch; is the worker extra installed?")
        return found


def kill(pid: int) -> None:
    """Kill a child that was not reaped yet, and all that it started."""
    _ignore_gone(os.killpg, pid)
    _ignore_gone(os.kill, pid)  # one that has not made its own group yet


def _ignore_gone(send: Callable[[int, int], None], pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        send(pid, signal.SIGKILL)

"""The process of one attempt: works, and reports to its supervisor. Runs in a child of the forkserver.

It knows files and pipes only. Small reports go up the pipe as JSON; checkpoints go through files in the scratch folder.
"""

import contextlib
import ctypes
import errno
import faulthandler
import importlib
import json
import multiprocessing
import os
import random
import re
import signal
import sys
import tempfile
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

WORK = {
    "train": "training",
    "ingest": "ingest",
    "explain": "explanation",
    "predict": "prediction",
    "evaluate": "evaluation",
}
UNHEARD_BYTES = 16 * 1024
"""Of metrics: then the supervisor should read them, or the pipe (64 KiB) would be full and the training stand still."""


class Control:
    """What the supervisor tells the child: go on until a deadline, pause, this checkpoint is stored."""

    def __init__(self, connection: Connection, deadline: float) -> None:
        self._connection = connection
        self._deadline = deadline
        self.pausing = False
        self.storing = False
        threading.Thread(target=self._listen, name="control", daemon=True).start()

    def _listen(self) -> None:
        """Obey until the lease's deadline passes: then another attempt may be running, and this one must not go on."""
        while True:
            left = self._deadline - time.monotonic()
            try:
                if left <= 0:
                    os.killpg(0, signal.SIGKILL)
                if self._connection.poll(min(left, 1.0)):
                    self._obey(json.loads(self._connection.recv_bytes()))
            except (EOFError, OSError):  # the supervisor is gone
                os.killpg(0, signal.SIGKILL)

    def _obey(self, order: dict[str, Any]) -> None:
        self._deadline = max(self._deadline, order.get("deadline", self._deadline))
        self.pausing = self.pausing or order.get("pause", False)
        self.storing = self.storing and not order.get("stored", False)


def main(task: dict[str, Any], reports: Connection, bell: Connection, orders: Connection, output: Connection) -> None:
    """Run one attempt; ``task`` is plain data, see ``supervisor.py``. ``bell`` is rung for what should not wait."""
    libc = _settle(output, task["name"])
    os.set_blocking(bell.fileno(), False)
    os.environ["CUDA_VISIBLE_DEVICES"] = task["visible"]  # the job's own GPUs, or none
    tempfile.tempdir = task["scratch"]  # the supervisor removes it, however the attempt ends

    unheard = 0

    def report(**message: Any) -> None:
        nonlocal unheard
        data = json.dumps(message, allow_nan=False).encode()
        reports.send_bytes(data)
        unheard += len(data)
        if message["type"] != "metrics" or unheard > UNHEARD_BYTES:
            unheard = 0
            with contextlib.suppress(BlockingIOError):  # it has rung often enough
                os.write(bell.fileno(), b"!")

    control = Control(orders, task["deadline"])
    try:
        # By name: the worker's main process imports this module and must stay free of torch.
        importlib.import_module(f"workers.{task['kind']}").run(task, control, report)
    except BaseException as error:
        explained = _explain(error, task["kind"])
        report(type="error", **explained)
        if explained["code"] == "internal":
            raise  # the traceback goes to the job's log
        sys.exit(1)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        libc.fflush(None)  # a forked process ends with os._exit, which loses what C code has buffered


def _settle(output: Connection, name: str) -> ctypes.CDLL:
    """Make the forked process its own: output, signals, group, and the first victim when memory runs out."""
    Path("/proc/self/oom_score_adj").write_text("1000")
    os.setsid()
    give_way(0)  # as its worker does
    os.dup2(output.fileno(), 1)
    os.dup2(output.fileno(), 2)
    output.close()
    libc = ctypes.CDLL(None)
    libc.setvbuf(ctypes.c_void_p.in_dll(libc, "stdout"), None, 1, 0)
    sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    faulthandler.enable(file=2)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the supervisor decides; it sends "pause"
    multiprocessing.set_start_method("fork", force=True)
    random.seed()
    libc.prctl(15, name.encode()[:15], 0, 0, 0)  # PR_SET_NAME, so that ps and top say what runs
    return libc


def give_way(niceness: int) -> None:
    """Leave the processors to others, by so much more than now, for the rest of this process.

    Where the kernel groups processes by session (sched(7), autogroup) a nice value counts within the own session alone,
    and each child has one: then it is the session's that counts.
    """
    whole = os.nice(niceness)
    if whole > 0:
        with contextlib.suppress(OSError):  # no such kernel; or it is asked too often, of which nobody takes harm
            Path("/proc/self/autogroup").write_text(str(whole))


def _asked_for(text: str) -> str:
    """What an allocator's own words say of the block that there was no room for: PyTorch's of a CPU and of a GPU."""
    found = re.search(r"tried to allocate (\d+) bytes", text)
    if found is not None:
        return f" when it asked for {int(found[1]) / 2**20:,.0f} MiB more"
    found = re.search(r"Tried to allocate ([\d.]+ [KMG]iB)", text)
    return f" when it asked for {found[1]} more" if found is not None else ""


def _explain(error: BaseException, kind: str) -> dict[str, Any]:
    """The error as the user sees it: a stable code, a sentence, and whether another attempt may help."""
    from core.errors import EpochdError
    from core.ingest import Refused
    from models.events import Diverged
    from models.training.ranks import RankFailed

    text = str(error) or type(error).__name__
    if isinstance(error, Refused):
        return {"code": "invalid_data", "message": text, "retryable": False, "detail": {"findings": error.detail}}
    if isinstance(error, Diverged):
        return {"code": "diverged", "message": text, "retryable": False, "detail": {"step": error.step}}
    if isinstance(error, RankFailed) and error.code is not None:
        return {"code": "crashed", "message": f"{text[0].upper()}{text[1:]}.", "retryable": True}
    full = isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM)
    if full or "out of memory" in text or "can't allocate memory" in text:
        message = f"The {WORK[kind]} ran out of memory{_asked_for(text)}."
        return {"code": "out_of_memory", "message": message, "retryable": False, "detail": {"reason": text}}
    if isinstance(error, ValueError | EpochdError):
        return {"code": "invalid_data", "message": text, "retryable": False}
    if isinstance(error, OSError):
        return {"code": "internal", "message": f"The worker could not read or write a file: {text}", "retryable": True}
    return {"code": "internal", "message": f"{type(error).__name__}: {text}", "retryable": False}

"""Imported once by the forkserver, so that every child starts with torch in memory: no operation of it, no CUDA.

The forkserver dies with the worker's starter thread, and every process that it forks dies with its parent.
"""

import ctypes
import importlib
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


def _die_with_parent() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


if "multiprocessing.forkserver" in " ".join(sys.orig_argv):
    if sys.platform == "linux":
        _die_with_parent()
        os.register_at_fork(after_in_child=_die_with_parent)
    # A TERM to the whole group must not take the forkserver away from children that are writing their checkpoints.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for module in (
        "numpy",
        "onnx.defs",
        "onnxruntime",
        "safetensors.torch",
        "torch._dynamo",  # the first optimizer imports it: a second that no job should wait for
        "torch.optim",
        "torch.utils.data",
        "workers.predict",
        "workers.train",
    ):
        importlib.import_module(module)
    importlib.import_module("onnx").defs.has("Conv")  # ONNX's schemas: 10 ms at the end of every training otherwise

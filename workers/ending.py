"""What is known of a child that is gone, as the job's error."""

import signal
from typing import Any

from workers.forkserver import FORKSERVER_LOST
from workers.memory import Watch
from workers.output import Output


def error(code: str, message: str, retryable: bool, **detail: Any) -> dict[str, Any]:
    """An error as a job keeps it."""
    return {"code": code, "message": message.replace("\0", ""), "param": None, "retryable": retryable, "detail": detail}


def detail(code: int, output: Output, memory: Watch) -> dict[str, Any]:
    """Its last log lines, its memory, and its exit code or signal."""
    ended = {"signal": _signal_name(-code)} if code < 0 else {"exit_code": code}
    return {"log": list(output.tail), **memory.detail(), **ended}


def crash(code: int, reported: dict[str, Any] | None, memory: Watch, detail: dict[str, Any]) -> dict[str, Any]:
    """What a child that ended by itself died of; ``reported`` is the error that it told, if it could."""
    if reported is not None and not (reported["code"] == "crashed" and memory.ran_out()):
        detail |= reported.get("detail", {})
        message = reported["message"]
        if reported["code"] == "out_of_memory":
            message += f" {_memory(detail)}"
        return error(reported["code"], message, reported["retryable"], **detail)
    if (code == -signal.SIGKILL or reported is not None) and memory.ran_out():
        return error("out_of_memory", f"The machine ran out of memory. {_memory(detail)}", False, **detail)
    if code == FORKSERVER_LOST:
        return error("crashed", "The process that starts trainings was lost.", True, **detail)
    how = f"was ended by {detail['signal']}" if code < 0 else f"ended with exit code {code}"
    return error("crashed", f"The job's process {how}.", True, **detail)


def _memory(detail: dict[str, Any]) -> str:
    used, limit = (detail[name] / 2**20 for name in ("peak_memory_bytes", "memory_limit_bytes"))
    return f"The job's process used up to {used:,.0f} MiB of the machine's {limit:,.0f}."


def _signal_name(number: int) -> str:
    names = {one.value: one.name for one in signal.Signals}
    return names.get(number, f"signal {number}")  # real-time signals have no names

"""Work in a process of its own."""

import json
import os
import signal
import traceback
from collections.abc import Callable
from typing import Any


def forked(work: Callable[[], Any]) -> Any:
    """What a forked process made of it; null if it was killed."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            with open(writer, "w") as answer:
                answer.write(json.dumps(work()))
        except BaseException:
            traceback.print_exc()
        os._exit(0)  # whatever happened: it must not go on as its parent
    os.close(writer)
    with open(reader) as answer:
        text = answer.read()
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL, f"it ended by signal {os.WTERMSIG(status)}"
        return None
    return json.loads(text)

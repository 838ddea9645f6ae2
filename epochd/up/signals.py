"""What ends a service that runs in this terminal."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from epochd.up.supervisor import Up


@contextmanager
def stopped_by_signals(up: Up) -> Iterator[None]:
    """Ctrl-C, SIGTERM and a closed terminal stop the service in order. Asking again does not hurry it."""

    def stop(number: int, frame: object) -> None:
        up.stop()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

"""Several API processes behind one port: this one accepts, and hands each connection to the one that has fewest.

Processes that share a listening socket take what comes as the kernel wakes them: of 16 connections that stay open, one
may get 15. Here every connection is passed on (``SCM_RIGHTS``), so their numbers differ by one at most when they come.
"""

import contextlib
import os
import selectors
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NoReturn

from core import log

READY, TAKEN, CLOSED, HANDED = b"R", b"+", b"-", b"C"
"""What a process tells: that it serves, each connection it has taken, and has ended; and what comes with one."""
BACKLOG = 4096
STOP_SECONDS = 6.0
PAUSE_SECONDS = 1.0
"""Before a process that has died is started again."""


@dataclass
class _Process:
    """One of them; ``connections`` are those it was handed and has not told the end of.

    ``untaken`` are, in order, those among them that it has not taken yet: kept here, should it die before it does.
    """

    index: int
    pid: int
    channel: socket.socket
    connections: int = 0
    untaken: deque[socket.socket] = field(default_factory=deque)
    ready: bool = False


class Front:
    """Runs ``serve`` in processes that it forks; each is given its number and its end of a channel.

    ``ended`` hears the number of each that is over.

    For the main thread of a process without other threads.
    """

    def __init__(
        self,
        listener: socket.socket,
        count: int,
        serve: Callable[[int, socket.socket], None],
        ended: Callable[[int], None],
    ) -> None:
        self._listener, self._count, self._serve, self._ended = listener, count, serve, ended
        self._listener.setblocking(False)
        self._processes: list[_Process] = []
        self._due: list[float] = []  # when those that have died are started again
        self._unhanded: deque[socket.socket] = deque()  # connections that no process could take; more are not accepted
        self._listening = self._accepting = self._stopping = False
        self._selector = selectors.DefaultSelector()
        self._woken, self._wake = socket.socketpair()
        for one in (self._woken, self._wake):
            one.setblocking(False)

    def run(self) -> int:
        """Serve until SIGTERM or SIGINT; the exit status: 3 when a process could not start."""
        self._selector.register(self._woken, selectors.EVENT_READ, self._drain)
        signal.set_wakeup_fd(self._wake.fileno())
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        for _ in range(self._count):
            self._start()
        failed = False
        while not self._stopping and not failed:
            pause = max(0.0, min(self._due) - time.monotonic()) if self._due else None
            for key, _ in self._selector.select(pause):
                failed = key.data() is False or failed
            for due in [one for one in self._due if one <= time.monotonic()]:
                self._due.remove(due)
                self._start_again()
        self._end()
        return 3 if failed else 0

    def _stop(self, number: int, frame: object) -> None:
        self._stopping = True

    def _drain(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._woken.recv(4096)

    def _start_again(self) -> None:
        try:
            self._start()
        except OSError as error:  # no memory or no descriptor for it now
            log.get(__name__).error("api_process_not_started", error=str(error))
            self._due.append(time.monotonic() + PAUSE_SECONDS)

    def _start(self) -> None:
        index = min(set(range(self._count)) - {one.index for one in self._processes})
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_DFL)
            others = [one for each in self._processes for one in (each.channel, *each.untaken)]
            for one in (self._listener, self._woken, self._wake, ours, *others, *self._unhanded):
                one.close()
            self._selector.close()
            _leave_with(lambda: self._serve(index, theirs))
        theirs.close()
        ours.setblocking(False)
        process = _Process(index, pid, ours)
        self._processes.append(process)
        self._selector.register(ours, selectors.EVENT_READ, lambda: self._told(process))

    def _told(self, process: _Process) -> bool:
        """Read what a process says; False when it has ended before it ever served and none other does."""
        try:
            said = process.channel.recv(65536)
        except BlockingIOError:
            return True
        except ConnectionResetError:
            said = b""
        if said:
            process.connections -= said.count(CLOSED)
            for _ in range(said.count(TAKEN)):
                process.untaken.popleft().close()
            process.ready = process.ready or READY in said
            if process.ready:
                self._go_on()
            return True
        self._selector.unregister(process.channel)
        process.channel.close()
        self._processes.remove(process)
        _, status = os.waitpid(process.pid, 0)
        self._ended(process.index)
        if not process.ready and not self._listening:
            return False
        log.get(__name__).error("api_process_ended", pid=process.pid, status=os.waitstatus_to_exitcode(status))
        self._due.append(time.monotonic() + PAUSE_SECONDS)
        for connection in process.untaken:
            self._hand(connection)
        return True

    def _go_on(self) -> None:
        """Hand out what waits, and accept more as soon as nothing does."""
        for _ in range(len(self._unhanded)):
            self._hand(self._unhanded.popleft())
        if not self._listening:
            self._listening = True
            self._listener.listen(BACKLOG)
        if not self._unhanded and not self._accepting:
            self._accepting = True
            self._selector.register(self._listener, selectors.EVENT_READ, self._accept)

    def _wait(self, connection: socket.socket) -> None:
        self._unhanded.append(connection)
        if self._accepting:  # the others wait in the kernel's line
            self._accepting = False
            self._selector.unregister(self._listener)

    def _accept(self) -> None:
        for _ in range(64):  # then hear what the processes say
            if not self._accepting:
                return
            try:
                connection, _ = self._listener.accept()
            except BlockingIOError:
                return
            except OSError as error:  # no descriptors are left, or the client has gone already
                log.get(__name__).warning("accept_failed", error=str(error))
                time.sleep(0.01)
                return
            self._hand(connection)

    def _hand(self, connection: socket.socket) -> None:
        """To the process with the fewest; one that takes nothing is passed over, and when none does it waits."""
        for process in sorted((one for one in self._processes if one.ready), key=lambda one: one.connections):
            try:
                socket.send_fds(process.channel, [HANDED], [connection.fileno()])
            except OSError:  # its channel is full, or it is about to be found dead
                continue
            process.connections += 1
            process.untaken.append(connection)
            self._processes.append(self._processes.pop(self._processes.index(process)))  # equals take turns
            return
        self._wait(connection)

    def _end(self) -> None:
        """Ask all to stop, end by force who does not, and reap them."""
        self._listener.close()
        for connection in (*self._unhanded, *(untaken for one in self._processes for untaken in one.untaken)):
            connection.close()  # those that were taken are open there
        for one in self._processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(one.pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        left = [one.pid for one in self._processes]
        while left:
            left = [pid for pid in left if os.waitpid(pid, os.WNOHANG)[0] == 0]
            if left and time.monotonic() > deadline:
                for pid in left:
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.02)
        signal.set_wakeup_fd(-1)


def _leave_with(serve: Callable[[], None]) -> NoReturn:
    """End this forked process without what its parent has still to do at its own end."""
    status = 1
    try:
        serve()
        status = 0
    except SystemExit as left:
        status = left.code if isinstance(left.code, int) else 1
        if isinstance(left.code, str):
            print(left.code, file=sys.stderr)
    except Exception:
        log.get(__name__).exception("api_process_failed")
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def bind(host: str, port: int) -> socket.socket:
    """A socket on this address that does not listen yet.

    Raises:
        OSError: the address is taken, or is none of this machine's.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    made = socket.socket(family, kind, protocol)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(address)
    except OSError:
        made.close()
        raise
    return made

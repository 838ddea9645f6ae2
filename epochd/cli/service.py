"""Commands about the service itself: start it, its workers, its keys, its version."""

import os
from pathlib import Path
from typing import Annotated

import typer

from epochd import demo
from epochd.cli.output import FAILED, INTERRUPTED, OK, Json, moment, out
from epochd.client import Client
from epochd.errors import ConnectionFailed, EpochdError
from epochd.transport import installed_version
from epochd.up import Options, Up
from epochd.up.signals import stopped_by_signals
from epochd.up.supervisor import default_data_dir, free_port

DataDir = Annotated[
    Path | None,
    typer.Option(
        help="Where everything is kept (default: EPOCHD_DATA_DIR, else ~/.local/share/epochd).", show_default=False
    ),
]
Host = Annotated[str, typer.Option(envvar="EPOCHD_HOST", help="Address to listen on; others than 127.0.0.1 need keys.")]
Port = Annotated[
    int, typer.Option(min=0, max=65535, envvar="EPOCHD_PORT", help="Port to listen on; 0 takes a free one.")
]
Slots = Annotated[int, typer.Option(min=1, max=256, envvar="EPOCHD_WORKER_SLOTS", help="Jobs that train at once.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(name="up", help=_up.__doc__)(_up)
    app.command(name="demo", help=_demo.__doc__)(_demo)
    app.command(name="workers", help=_workers.__doc__)(_workers)
    app.command(name="version", help=_version.__doc__)(_version)
    group = typer.Typer(
        no_args_is_help=True, help="API keys (with an administrator's key, or on the service's machine)."
    )
    group.command(name="list", help=_keys.__doc__)(_keys)
    group.command(name="create", help=_create.__doc__)(_create)
    group.command(name="revoke", help=_revoke.__doc__)(_revoke)
    app.add_typer(group, name="keys")


def _up(
    port: Port = 8600,
    data_dir: DataDir = None,
    slots: Slots = 1,
    host: Host = "127.0.0.1",
    machine: Json = False,
) -> None:
    """Start the whole service on this machine: Redis, API, dashboard and a worker. Ctrl-C stops it.

    State is kept in one data folder: SQLite (unless EPOCHD_DATABASE_URL names a PostgreSQL), Redis and logs.
    """
    up = Up(Options(data_dir=data_dir or default_data_dir(), host=host, port=port, slots=slots), out.warn)
    with stopped_by_signals(up):
        out.note("Starting ...")
        with up:
            if not up.stopping.is_set():
                if out.machine:
                    key_file = str(up.key_file) if up.key_file else None
                    out.json({"url": up.url, "data_dir": str(up.data_dir), "pid": os.getpid(), "key_file": key_file})
                else:
                    announce(up)
                up.wait()
            out.note("Stopping ...")
        out.note("Stopped. Everything is kept in " + str(up.data_dir))


def announce(up: Up) -> None:
    """Say where the service is."""
    out.console.print(f"Epochd is ready: [bold]{up.url}[/]  (dashboard /, API docs /docs)", soft_wrap=True)
    out.note(f"Data and logs: {up.data_dir}. Ctrl-C stops it.")
    if up.key_file is not None:
        out.note(f"This address needs API keys; the administrator's is in {up.key_file}.")


def _demo(
    leave: Annotated[bool, typer.Option("--exit", help="End when the demonstration is over.")] = False,
    data_dir: DataDir = None,
    port: Port = 8600,
    machine: Json = False,
) -> None:
    """Start the service, train a CNN and an RNN on handwritten digits, ask them about digits they never saw."""
    try:
        port = free_port("127.0.0.1", port)
    except EpochdError as error:
        port = 0
        out.note(f"{error.args[0].split(';')[0]}; taking a free port")
    up = Up(Options(data_dir=data_dir or default_data_dir(), port=port, slots=2), out.warn)
    with stopped_by_signals(up):
        out.note("Starting ...")
        with up, Client(up.url, key=up.key) as client:
            jobs = [] if up.stopping.is_set() else demo.show(client, out.demonstration, up.stopping)
            if up.stopping.is_set():
                status = INTERRUPTED
            else:
                status = OK if all(job["status"] == "succeeded" for job in jobs) else FAILED
                if out.machine:
                    out.json({"url": up.url, "jobs": jobs})
                else:
                    announce(up)
                if not leave:
                    up.wait()
            out.note("Stopping ...")
    raise typer.Exit(status)


def _workers(machine: Json = False) -> None:
    """List the workers."""
    with out.client() as client:
        found = list(client.workers())
    out.table(
        found,
        ["worker", "status", "busy", "devices", "threads", "host", "last seen (UTC)"],
        [
            [
                each["name"],
                each["status"],
                f"{each['busy']}/{each['slots']}",
                ", ".join(str(device["name"]) for device in each["devices"]),
                str(each["threads"]),
                f"{each['host']} ({each['pid']})",
                moment(each["seen_at"]),
            ]
            for each in found
        ],
        "No workers. Jobs wait until one is there: python -m workers",
    )


def _keys(machine: Json = False) -> None:
    """List the API keys; their secrets are not stored."""
    with out.client() as client:
        found = list(client.keys())
    out.table(
        found,
        ["key", "name", "tenant", "admin", "created (UTC)", "revoked"],
        [
            [
                each["id"],
                each["name"],
                each["tenant"],
                "yes" if each["admin"] else "",
                moment(each["created_at"]),
                moment(each["revoked_at"]),
            ]
            for each in found
        ],
        "No keys.",
    )


def _create(
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    tenant: Annotated[str, typer.Option(help="Whose jobs and models it sees.")] = "default",
    admin: Annotated[bool, typer.Option("--admin", help="It may manage keys.")] = False,
    machine: Json = False,
) -> None:
    """Make an API key. It is shown this once."""
    with out.client() as client:
        key = client.create_key(name, tenant=tenant, admin=admin)
    out.result(key, key["secret"])
    out.note(f"{key['id']}: keep the key now, it is not shown again. Clients read it from EPOCHD_API_KEY.")


def _revoke(
    key_id: Annotated[str, typer.Argument(metavar="KEY", help="Its id: key_...")], machine: Json = False
) -> None:
    """End an API key at once."""
    with out.client() as client:
        client.revoke_key(key_id)
    out.result({"id": key_id, "revoked": True}, f"{key_id} revoked")


def _version(machine: Json = False) -> None:
    """Show the version of this command, and of the service if it can be reached."""
    mine, theirs = installed_version(), None
    try:
        with out.client() as client:
            theirs = client.info()["version"]
    except ConnectionFailed as error:
        out.note(str(error))
    out.result({"client": mine, "server": theirs}, f"epochd {mine}" + (f", service {theirs}" if theirs else ""))
    raise typer.Exit(OK)

"""Commands about the versions of a model: make one, move aliases, take the files along."""

from pathlib import Path
from typing import Annotated

import typer

from epochd.cli.jobs import Timeout
from epochd.cli.output import Json, moment, out
from epochd.cli.serving import naming
from epochd.cli.watch import watch

Alias = Annotated[str, typer.Option(help="The alias.")]
Reason = Annotated[str | None, typer.Option(help="Why, for the history.", show_default=False)]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(name="export", help=_export.__doc__)(_export)
    app.command(name="register", help=_register.__doc__)(_register)
    app.command(name="promote", help=_promote.__doc__)(_promote)
    app.command(name="rollback", help=_rollback.__doc__)(_rollback)
    app.command(name="history", help=_history.__doc__)(_history)


def _export(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="NAME, NAME@ALIAS or NAME:VERSION.")],
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to write the files.")],
    machine: Json = False,
) -> None:
    """Save a version as model.onnx, weights.safetensors and manifest.json."""
    with out.client() as client, naming(str(folder)):
        found = client.export(model, folder)
    if found["onnx"] is None:
        out.warn(f"There is no model.onnx: {found['reason']}.")
    out.result({**found, "path": str(folder)}, f"{folder}: {found['model']} version {found['version']}")


def _register(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The model that gets a version; a new name makes one.")],
    job_id: Annotated[str, typer.Argument(metavar="JOB", help="The training that made the checkpoint.")],
    checkpoint: Annotated[str, typer.Option(help="A checkpoint's id, best or last.")] = "best",
    timeout: Timeout = None,
    machine: Json = False,
) -> None:
    """Make the next version of a model from a checkpoint of any training, also of one that runs or failed."""
    with out.client() as client:
        chosen = client.checkpoint(job_id, checkpoint)
        job = client.make_version(model, chosen["id"])
        out.note(f"{job['id']} makes a version of the checkpoint at step {chosen['step']}.")
        raise typer.Exit(watch(client, job, timeout))


def _promote(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="NAME:VERSION, or NAME@ALIAS to follow another alias.")],
    alias: Alias = "production",
    reason: Reason = None,
    machine: Json = False,
) -> None:
    """Point an alias at a version; from then on it answers."""
    if ":" not in model and "@" not in model:
        raise typer.BadParameter("say which version: NAME:VERSION, or NAME@ALIAS")
    with out.client() as client:
        name, version = client.resolve(model)
        moved = client.promote(name, version, alias=alias, reason=reason)
    out.result(moved, f"{name}@{alias} is version {moved['version']}")


def _rollback(
    name: Annotated[str, typer.Argument(metavar="MODEL")],
    alias: Alias = "production",
    reason: Reason = None,
    machine: Json = False,
) -> None:
    """Point an alias back at the version before its last move."""
    with out.client() as client:
        moved = client.rollback(name, alias=alias, reason=reason)
    out.result(moved, f"{name}@{alias} is version {moved['version']}")


def _history(
    name: Annotated[str, typer.Argument(metavar="MODEL")],
    alias: Alias = "production",
    machine: Json = False,
) -> None:
    """Who moved an alias, when, from where to where, and why; newest first."""
    with out.client() as client:
        found = list(client.alias_history(name, alias))
    out.table(
        found,
        ["when (UTC)", "from", "to", "by", "why"],
        [
            [
                moment(one["at"]),
                "" if one["from"] is None else str(one["from"]),
                "removed" if one["to"] is None else str(one["to"]),
                one["by"],
                one["reason"] or "",
            ]
            for one in found
        ],
        f"{name}@{alias} was never moved.",
    )

"""Having a whole data set answered from the command line."""

from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from epochd.cli.jobs import JobId
from epochd.cli.output import OK, Json, out
from epochd.cli.watch import watch
from epochd.client import Client
from epochd.resources import Predict

Target = Annotated[Path, typer.Argument(metavar="FILE", help="Where to write them.")]
FORMATS = get_args(Predict.__annotations__["format"])


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="predictions", help=_predictions.__doc__)(_predictions)


def _predictions(job_id: JobId, path: Target, machine: Json = False) -> None:
    """Download what a prediction of a data set answered. A broken-off download goes on where it stopped."""
    with out.client() as client:
        _download(client, job_id, path)


def answer_dataset(
    model: str, dataset: str, split: str, top: int | None, to: Path | None, timeout: float | None
) -> int:
    """Queue the job and, where the answers are to be written ``to`` a file, wait for it; the exit status."""
    options: dict[str, Any] = {"split": split, "top": top, "format": _format(to)}
    with out.client() as client:
        job = client.predict_dataset(model, dataset, **options)
        if to is None:
            out.result(job, job["id"])
            out.note(f"Queued. Watch it: epochd watch {job['id']}")
            return OK
        status = watch(client, job, timeout)
        if status != OK:
            return status
        _download(client, job["id"], to)
    return OK


def _download(client: Client, job_id: str, path: Path) -> None:
    try:
        answered = client.download_predictions(job_id, path)
    except OSError as error:
        raise typer.BadParameter(f"cannot write {path}: {error.strerror}") from error
    out.result({**answered, "path": str(path)}, f"{path}: {answered['rows']:,} rows, SHA-256 {answered['sha256']}")


def _format(to: Path | None) -> str:
    """As the file's name says it; csv when there is none.

    Raises:
        typer.BadParameter: it ends in none of them.
    """
    if to is None:
        return "csv"
    form = to.suffix.lstrip(".").lower()
    if form not in FORMATS:
        raise typer.BadParameter(f"{to}: the answers are written as {', '.join('.' + one for one in FORMATS)}")
    return form

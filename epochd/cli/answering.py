"""Having a whole data set answered from the command line."""

from pathlib import Path
from typing import Any, get_args

import typer

from epochd.cli.output import OK, out
from epochd.cli.watch import watch
from epochd.resources import Predict

FORMATS = get_args(Predict.__annotations__["format"])


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
        try:
            answered = client.download_predictions(job["id"], to)
        except OSError as error:
            raise typer.BadParameter(f"cannot write {to}: {error.strerror}") from error
    out.result({**answered, "path": str(to)}, f"{to}: {answered['rows']:,} rows, SHA-256 {answered['sha256']}")
    return OK


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

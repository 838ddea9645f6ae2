"""Commands about jobs."""

import json
import sys
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from epochd.cli.output import Json, moment, out
from epochd.cli.score import score
from epochd.cli.watch import ending, watch
from epochd.resources import ENDED, Job

JobId = Annotated[str, typer.Argument(metavar="JOB", help="A job's id: job_...")]
Timeout = Annotated[
    float | None, typer.Option(min=0.0, metavar="SECONDS", help="Stop watching after so long (exit status 5).")
]
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Change the spec, e.g. hyperparameters.epochs=3; repeatable."),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(name="train", help=_train.__doc__)(_train)
    app.command(name="jobs", help=_jobs.__doc__)(_jobs)
    app.command(name="watch", help=_watch.__doc__)(_watch)
    for verb in (_cancel, _pause, _resume, _replay):
        app.command(name=verb.__name__.removeprefix("_"), help=verb.__doc__)(verb)
    group = typer.Typer(no_args_is_help=True, help="The weights that a job saved.")
    group.command(name="list", help=_checkpoints.__doc__)(_checkpoints)
    group.command(name="get", help=_get.__doc__)(_get)
    app.add_typer(group, name="checkpoints")


def _train(
    file: Annotated[
        str, typer.Argument(metavar="FILE.json", help="The job's spec, the body of POST /v1/jobs; - reads it.")
    ],
    changes: Changes = None,
    follow: Annotated[bool, typer.Option("--watch", "-w", help="Watch it until it ends.")] = False,
    timeout: Timeout = None,
    machine: Json = False,
) -> None:
    """Submit a training job."""
    spec = read_spec(file, changes)
    with out.client() as client:
        job = client.submit(spec)
        if follow:
            out.note(f"{job['id']} ({job['parameters']:,} parameters)")
            if out.machine:
                out.json(job)
            raise typer.Exit(watch(client, job, timeout))
        out.result(job, job["id"])
        out.note(f"Queued, {job['parameters']:,} parameters. Watch it: epochd watch {job['id']}")


def read_spec(file: str, changes: list[str] | None) -> dict[str, Any]:
    """The spec in a file, with the changes carried out; typer.BadParameter as in the two functions below."""
    spec = read_json(file)
    if not isinstance(spec, dict):
        raise typer.BadParameter(f"{file} holds no JSON object")
    for change in changes or []:
        assign(spec, change)
    return spec


def read_json(file: str) -> Any:
    """The JSON in a file, or on standard input for ``-``.

    Raises:
        typer.BadParameter: it cannot be read, or is no JSON.
    """
    try:
        return json.loads(sys.stdin.read() if file == "-" else Path(file).read_text())
    except OSError as error:
        raise typer.BadParameter(f"cannot read {file}: {error.strerror}") from error
    except ValueError as error:
        raise typer.BadParameter(f"{file} is not JSON: {error}") from error


def assign(spec: dict[str, Any], change: str) -> None:
    """Carry out ``a.b.0.c=VALUE`` on a spec; VALUE is JSON, or else a string. Missing objects are made.

    Raises:
        typer.BadParameter: it has no such form, or the path does not fit the spec.
    """
    path, equals, text = change.partition("=")
    names = path.strip().split(".")
    if not equals or not all(names):
        raise typer.BadParameter(f"{change!r}: write PATH=VALUE, e.g. hyperparameters.epochs=3", param_hint="--set")
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    place: Any = spec
    for i, name in enumerate(names):
        last = i == len(names) - 1
        if isinstance(place, dict):
            if last:
                place[name] = value
            elif place.get(name) is None:
                place[name] = {}
            place = place[name]
        elif isinstance(place, list) and name.isdecimal() and int(name) < len(place):
            if last:
                place[int(name)] = value
            place = place[int(name)]
        else:
            raise typer.BadParameter(f"{change!r}: there is no {'.'.join(names[: i + 1])}", param_hint="--set")


def _jobs(
    job_id: Annotated[str, typer.Argument(metavar="JOB", help="Show only this job.", show_default=False)] = "",
    status: Annotated[str | None, typer.Option(help="queued, running, paused, succeeded, failed or cancelled.")] = None,
    model: Annotated[str | None, typer.Option(help="Only jobs for this model.")] = None,
    dataset: Annotated[str | None, typer.Option(help="Only jobs on this data set.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="The newest so many.")] = 20,
    machine: Json = False,
) -> None:
    """List jobs, newest first, or show one."""
    with out.client() as client:
        if job_id:
            job = client.job(job_id)
            _show(job)
            return
        found = list(islice(client.jobs(status=status, model=model, dataset=dataset), limit))
    out.table(
        found,
        ["job", "status", "work", "data set", "model", "progress", "test"],
        [
            [
                job["id"],
                job["status"],
                work(job),
                data_set(job),
                model_of(job),
                _progress(job),
                _score(job),
            ]
            for job in found
        ],
        "No jobs. Submit one: epochd train FILE.json",
    )


def _score(job: Job) -> str:
    scores = (job["result"] or {}).get({"train": "test", "predict": "scores"}.get(job["kind"], ""))
    return score(scores) if scores else ""


def work(job: Job) -> str:
    """What a job does: the family of network that it trains, or its kind."""
    return str(job["network"]["family"]) if job["network"] is not None else job["kind"]


def model_of(job: Job) -> str:
    """The model that a job trains, explains or asks."""
    if job["model"] is None:
        asked = job["explain"] or job["predict"]
        return asked["model"] if asked is not None else ""
    return job["model"] + (f":{version}" if (version := job["model_version"]) else "")


def data_set(job: Job) -> str:
    """The data set that a job trains on or answers, or that an ingest makes."""
    if job["dataset"] is not None:
        return f"{job['dataset']['name']}@{job['dataset']['version']}"
    return job["ingest"]["dataset"] if job["ingest"] is not None else ""


def _progress(job: Job) -> str:
    if job["queue"] is not None and job["status"] == "queued":
        return job["waiting_for"]["reason"] if job["waiting_for"] else f"{job['queue']['position']} in line"
    progress = job["progress"]
    if progress is None:
        return ""
    return f"{progress['ratio']:.0%}" if progress["ratio"] is not None else f"step {progress['step']}"


def _show(job: Job) -> None:
    if out.machine:
        out.json(job)
        return
    facts = {
        "status": job["status"] + (f" ({job['requested']} requested)" if job["requested"] else ""),
        "work": work(job) + (f", {job['parameters']:,} parameters" if job["parameters"] is not None else ""),
        "data set": data_set(job),
        "progress": _progress(job),
        "attempt": str(job["attempt"]),
        "created": moment(job["created_at"]),
        "started": moment(job["started_at"]),
        "finished": moment(job["finished_at"]),
    }
    for name, value in facts.items():
        if value:
            out.console.print(f"[bold]{name:<9}[/] {value}", soft_wrap=True)
    if job["status"] in ENDED:
        out.result(job, ending(job))


def _watch(job_id: JobId, timeout: Timeout = None, machine: Json = False) -> None:
    """Watch a job until it ends. Ctrl-C stops the watching, not the job."""
    with out.client() as client:
        raise typer.Exit(watch(client, client.job(job_id), timeout))


def _cancel(job_id: JobId, machine: Json = False) -> None:
    """End a job. Its last checkpoint stays."""
    with out.client() as client:
        _changed(client.cancel(job_id))


def _pause(job_id: JobId, machine: Json = False) -> None:
    """Save a job's state and let go of its worker."""
    with out.client() as client:
        _changed(client.pause(job_id))


def _resume(job_id: JobId, machine: Json = False) -> None:
    """Put a paused job back in line."""
    with out.client() as client:
        _changed(client.resume(job_id))


def _replay(job_id: JobId, timeout: Timeout = None, machine: Json = False) -> None:
    """Train again what a job trained, and see whether the weights come out the same (exit status 6: they differ)."""
    with out.client() as client:
        job = client.replay(job_id)
        out.note(f"{job['id']} trains again what {job['replay_of']} trained.")
        raise typer.Exit(watch(client, job, timeout))


def _changed(job: Job) -> None:
    asked = f", {job['requested']} requested" if job["requested"] else ""
    out.result(job, f"{job['id']} {job['status']}{asked}")


def _checkpoints(job_id: JobId, machine: Json = False) -> None:
    """List a job's checkpoints."""
    with out.client() as client:
        found = list(client.checkpoints(job_id))
    out.table(
        found,
        ["checkpoint", "step", "epoch", "kept as", "size", "SHA-256 of the weights"],
        [
            [
                each["id"],
                str(each["step"]),
                str(each["epoch"]),
                " ".join(word for word in ("best", "last") if each[word]),
                f"{each['size_bytes']:,}",
                each["weights_sha256"][:16] + "...",
            ]
            for each in found
        ],
        "This job has no checkpoints.",
    )


def _get(
    job_id: JobId,
    path: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write the safetensors file.")],
    checkpoint: Annotated[str, typer.Option(help="A checkpoint's id, best or last.")] = "best",
    machine: Json = False,
) -> None:
    """Download a checkpoint's weights. A broken-off download goes on where it stopped."""
    if path.is_dir():
        path = path / f"{job_id}.safetensors"
    try:
        with out.client() as client:
            got = client.download_weights(job_id, path, checkpoint)
    except OSError as error:
        raise typer.BadParameter(f"cannot write {path}: {error.strerror}") from error
    out.result({**got, "path": str(path)}, f"{path}: step {got['step']}, SHA-256 {got['weights_sha256']}")

"""Commands about data sets."""

import re
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from epochd.cli.output import Json, moment, out, status_of
from epochd.cli.watch import ending
from epochd.client import Client
from epochd.resources import ENDED, Dataset, Job

LOOK_SECONDS = 0.3
MOST_CLASSES = 20
MEASURES = ("min", "mean", "max", "std")
Ref = Annotated[str, typer.Argument(metavar="DATASET", help="NAME (its newest version), NAME@VERSION, or an id.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, help="Data sets: upload, list, look at, delete.")
    for command in (_add, _list, _show, _delete):
        group.command(name=command.__name__.removeprefix("_"), help=command.__doc__)(command)
    app.add_typer(group, name="datasets")


def _add(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Files, archives or folders, as they are.")],
    name: Annotated[str, typer.Option(help="What to call it; else after the first path.", show_default=False)] = "",
    kind: Annotated[str | None, typer.Option(help="image, series, text, audio or corpus; else found out.")] = None,
    task: Annotated[str | None, typer.Option(help="classification, regression or forecast; else found out.")] = None,
    target: Annotated[str | None, typer.Option(help="Forecasts: columns to foretell; else the last one.")] = None,
    missing: Annotated[
        str | None, typer.Option(help="Forecasts: empty cells: refuse, previous, interpolate or zero.")
    ] = None,
    size: Annotated[
        str | None, typer.Option(metavar="HEIGHTxWIDTH", help="Resize all images to this.", show_default=False)
    ] = None,
    channels: Annotated[int | None, typer.Option(help="1 grey, 3 colour, 4 colour and transparency.")] = None,
    label: Annotated[str | None, typer.Option(help="The column of the class, or of a number to foretell.")] = None,
    text: Annotated[str | None, typer.Option(help="The column of the text.")] = None,
    pattern: Annotated[str | None, typer.Option(help="The class in file names, e.g. {label}_{rest}.")] = None,
    test_pattern: Annotated[
        str | None, typer.Option(help="Files of the test split by their names, e.g. '*_anna_*'.", show_default=False)
    ] = None,
    rate: Annotated[int | None, typer.Option(help="Resample all recordings to so many Hz.")] = None,
    test: Annotated[float | None, typer.Option(help="Share to keep for the test, if no test split is there.")] = None,
    seed: Annotated[int | None, typer.Option(help="Decides which samples that is.")] = None,
    source: Annotated[str | None, typer.Option(help="Where the samples come from.")] = None,
    machine: Json = False,
) -> None:
    """Upload a data set, and watch it being checked."""
    height, width = _size(size)
    given: dict[str, Any] = {
        "kind": kind,
        "task": task,
        "target": target,
        "missing": missing,
        "height": height,
        "width": width,
        "channels": channels,
        "label": label,
        "text": text,
    }
    given |= {
        "pattern": pattern,
        "test_pattern": test_pattern,
        "rate": rate,
        "test": test,
        "seed": seed,
        "source": source,
    }
    with out.client() as client:
        job = _upload(client, name or named_after(paths[0]), paths, given)
        job = _checked(client, job)
        if job["status"] != "succeeded" or job["dataset"] is None:
            out.result(job, ending(job))
            raise typer.Exit(status_of(job))
        made = client.dataset(job["dataset"]["id"])
    _describe(made)


def _size(text: str | None) -> tuple[int | None, int | None]:
    if text is None:
        return None, None
    found = re.fullmatch(r"(\d{1,4})x(\d{1,4})", text)
    if found is None:
        raise typer.BadParameter(f"{text!r} is not HEIGHTxWIDTH, e.g. 28x28", param_hint="--size")
    return int(found[1]), int(found[2])


def named_after(path: Path) -> str:
    """A data set's name made of a file's: ``My Photos.tar.gz`` becomes ``my-photos``."""
    name = re.sub(r"[^a-z0-9._-]+", "-", path.resolve().name.partition(".")[0].lower()).strip("-._")
    if not name:
        raise typer.BadParameter(f"no name can be made of {path}; give one", param_hint="--name")
    return name[:64]


def _upload(client: Client, name: str, paths: list[Path], options: dict[str, Any]) -> Job:
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=out.notes, disable=out.machine or not out.notes.is_terminal) as bars:
        bar = bars.add_task(f"uploading {name}", total=None)
        return client.upload(
            name, *paths, progress=lambda sent, whole: bars.update(bar, completed=sent, total=whole), **options
        )


def _checked(client: Client, job: Job) -> Job:
    """The job once it has ended, with its stages as bars."""
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), MofNCompleteColumn())
    with Progress(*columns, console=out.notes, disable=out.machine or not out.notes.is_terminal) as bars:
        bar = bars.add_task("waiting for a worker", total=None)
        while job["status"] not in ENDED:
            if job["progress"] is not None:
                done, total = job["progress"]["step"], job["progress"]["total_steps"]
                bars.update(bar, description=job["progress"]["stage"] or "", completed=done, total=total)
            time.sleep(LOOK_SECONDS)
            job = client.job(job["id"])
        bars.remove_task(bar)
    return job


def _list(machine: Json = False) -> None:
    """List the data sets, newest first."""
    with out.client() as client:
        found = list(client.datasets())
    out.table(
        found,
        ["data set", "kind", "shape", "learnt", "train", "test", "created (UTC)"],
        [
            [
                f"{each['name']}@{each['version']}",
                each["kind"],
                shape(each),
                learnt(each),
                f"{each['splits'].get('train', 0):,}",
                f"{each['splits'].get('test', 0):,}",
                moment(each["created_at"]),
            ]
            for each in found
        ],
        "No data sets. Upload one: epochd datasets add PATH",
    )


def shape(dataset: Dataset) -> str:
    """The shape of a sample as people write it."""
    if dataset["rate"] is not None and dataset["lengths"] is not None:
        shortest, longest = (one / dataset["rate"] for one in dataset["lengths"])
        return f"{shortest:.2f}-{longest:.2f} s at {dataset['rate']:,} Hz"
    if dataset["kind"] == "text":
        sides = []
    else:
        sides = [str(side) for side in dataset["shape"]]
    if dataset["lengths"] is not None:
        sides = ["{}-{}".format(*dataset["lengths"]), *sides[1:]]
    if dataset["kind"] == "corpus":
        return "one text"
    return "x".join(sides) + (" characters" if dataset["kind"] == "text" else "")


def learnt(dataset: Dataset) -> str:
    """What a network can learn of a data set, in a few words."""
    if dataset["task"] == "classification":
        return f"{len(dataset['classes']):,} classes"
    return f"{dataset['task']} {', '.join(dataset['targets'] or [])}".strip()


def _show(ref: Ref, machine: Json = False) -> None:
    """Show one data set and what was found in it."""
    with out.client() as client:
        _describe(client.dataset(ref))


def _describe(dataset: Dataset) -> None:
    if out.machine:
        out.json(dataset)
        return
    found: dict[str, Any] = dataset["findings"] or {}
    out.result(None, f"{dataset['name']}@{dataset['version']}: {dataset['kind']}, {shape(dataset)}")
    counts: dict[str, dict[str, int]] = found.get("samples", {})
    splits = ", ".join(f"{name} {count:,}" for name, count in dataset["splits"].items())
    out.result(None, f"{'characters' if dataset['task'] == 'language' else 'samples'}: {splits}; {learnt(dataset)}")
    if counts and len(dataset["classes"]) <= MOST_CLASSES:
        rows = [[name, *(f"{counts[split].get(name, 0):,}" for split in counts)] for name in dataset["classes"]]
        out.table([], ["class", *counts], rows, "")
    for title, described in (("target", found.get("targets")), ("column", found.get("columns"))):
        if described:
            rows = [
                [name, split, *(f"{one[part]:.6g}" for part in MEASURES)]
                for split, columns in described.items()
                for name, one in columns.items()
            ]
            out.table([], [title, "split", *MEASURES], rows, "")
    for line in remarks(found):
        out.result(None, line)


def remarks(found: dict[str, Any]) -> list[str]:
    """What a person should know of an ingest's findings, a sentence each."""
    said = [str(note) for note in found.get("notes", [])]
    if found.get("skipped_total"):
        said.append(f"{found['skipped_total']:,} samples could not be read and were left out:")
        for one in found["skipped"][:5]:
            row = f" row {one['row']}" if one.get("row") is not None else ""
            said.append(f"  {one['file']}{row}: {one['reason']}")
    across = found.get("duplicates_across_splits", {})
    if across.get("count"):
        said.append(f"{across['count']:,} test samples are in the training split too, so the test will flatter.")
    if found.get("single_sample_classes"):
        said.append("only one sample of: " + ", ".join(map(str, found["single_sample_classes"][:10])))
    return said


def _delete(ref: Ref, machine: Json = False) -> None:
    """Delete one version (NAME@VERSION) that nothing was made from."""
    with out.client() as client:
        client.delete_dataset(ref)
    out.result({"deleted": ref}, f"{ref} is deleted")

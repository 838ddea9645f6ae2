"""The command about jobs that are not submitted yet."""

from typing import Annotated

import typer

from epochd.cli.jobs import Changes, read_spec
from epochd.cli.output import FAILED, Json, out
from epochd.resources import Estimate


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="estimate", help=_estimate.__doc__)(_estimate)


def _estimate(
    file: Annotated[
        str, typer.Argument(metavar="FILE.json", help="The job's spec, the body of POST /v1/jobs; - reads it.")
    ],
    changes: Changes = None,
    machine: Json = False,
) -> None:
    """Say what a training would take, without submitting it. Exit status 1 when no worker could run it."""
    spec = read_spec(file, changes)
    with out.client() as client:
        estimate = client.estimate(spec)
    if out.machine:
        out.json(estimate)
    else:
        _show(estimate)
    if estimate["verdict"]["fits"] is False:
        raise typer.Exit(FAILED)


def _show(estimate: Estimate) -> None:
    layers = estimate["layers"]
    out.table(
        list(layers),
        ["layer", "kind", "output", "parameters", "MFLOPs a sample"],
        [
            [
                layer["name"],
                layer["kind"],
                "x".join(str(side) for side in layer["output"]),
                f"{layer['parameters']:,}",
                f"{layer['flops'] / 1e6:,.3f}",
            ]
            for layer in layers
        ],
        "",
    )
    memory, steps, verdict = estimate["memory"], estimate["total_steps"], estimate["verdict"]
    length = f"{estimate['steps_per_epoch']:,} steps an epoch"
    if steps is not None and estimate["training_flops"] is not None:
        length += f", {steps:,} in all ({estimate['training_flops'] / 1e12:,.3f} TFLOPs, 3 x forward a sample)"
    parts = sorted(memory["parts"].items(), key=lambda part: -part[1])
    facts = {
        "parameters": f"{estimate['parameters']:,}",
        "length": length,
        "memory": f"{_size(memory['total_bytes'])}: data set {_size(memory['dataset_bytes'])}, "
        + ", ".join(f"{name.replace('_', ' ')} {_size(size)}" for name, size in parts if size >= 2**20),
        "on disk": ""
        if memory["least_bytes"] == memory["total_bytes"]
        else f"{_size(memory['least_bytes'])} are enough, with the samples left on disk",
        "time": _time(estimate),
        "verdict": {True: "fits", False: "refused", None: "waits"}[verdict["fits"]]
        + (f": {verdict['reason']}" if verdict["reason"] else ""),
        "batch_size": "" if verdict["largest_batch_size"] is None else f"at most {verdict['largest_batch_size']:,}",
    }
    for name, value in facts.items():
        if value:
            out.result(None, f"{name:<11}{value}")


def _time(estimate: Estimate) -> str:
    total, epoch = estimate["seconds_total"], estimate["seconds_per_epoch"]
    if epoch is None:
        return f"not known: {estimate['reason']}"
    return f"{epoch:,.1f} s an epoch" + ("" if total is None else f", {total:,.0f} s in all")


def _size(count: int) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"

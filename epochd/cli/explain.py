"""The command that asks why."""

from pathlib import Path
from typing import Annotated, Any

import typer

from epochd.cli.output import Json, out
from epochd.cli.serving import naming, sample
from epochd.resources import Player

MOST_LINES = 20


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="explain", help=_explain.__doc__)(_explain)


def _explain(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="NAME, NAME@ALIAS or NAME:VERSION.")],
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="One image, recording or text, or JSON: a list of one sample.")
    ],
    method: Annotated[
        str, typer.Option(metavar="METHOD", help="kernel_shap, lime, exact_shapley, occlusion or integrated_gradients.")
    ] = "kernel_shap",
    target: Annotated[str | None, typer.Option(help="The class to explain; else the likeliest.")] = None,
    samples: Annotated[int | None, typer.Option(help="How many samples the model may be asked about.")] = None,
    grid: Annotated[int | None, typer.Option(help="Cells a side of an image.")] = None,
    segments: Annotated[int | None, typer.Option(help="Parts of a text, series or recording.")] = None,
    baseline: Annotated[str | None, typer.Option(help="What takes the place of a part: zeros, mean, blur ...")] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same answer.")] = 0,
    picture: Annotated[
        Path | None, typer.Option(metavar="PNG|SVG", help="Write a picture: .png of an image, .svg of all else.")
    ] = None,
    machine: Json = False,
) -> None:
    """Say which parts of a sample speak for a model's answer, and which against it."""
    options: dict[str, Any] = {
        "method": method,
        "target": target,
        "samples": samples,
        "grid": grid,
        "segments": segments,
        "baseline": baseline,
        "seed": seed,
    }
    with out.client() as client, naming(file):
        asked = sample(file)
        found = client.explain(model, **asked, **options)
        drawn = b""
        if picture is not None:
            media = "image/svg+xml" if picture.suffix == ".svg" else "image/png"
            drawn = client.explanation_picture(model, **asked, **options, media=media)
    if picture is not None:
        with naming(str(picture)):
            picture.write_bytes(drawn)
    if out.machine:
        out.json(found)
        return
    fit = "" if found["r2"] is None else f", r2 {found['r2']:.2f}"
    out.note(
        f"{found['model']} version {found['model_version']}: {found['target']} {found['output']:.4g} "
        f"from {found['base_value']:.4g} ({found['method']}, {found['samples']:,} samples{fit})"
    )
    ranked = sorted(found["players"], key=lambda one: -abs(one["value"]))
    for player in ranked[:MOST_LINES]:
        out.result(None, f"{player['value']:+.4f}  {_place(player)}")
    if len(ranked) > MOST_LINES:
        out.note(f"and {len(ranked) - MOST_LINES} weaker ones; --json shows all")


def _place(player: Player) -> str:
    if "box" in player:
        y0, x0, y1, x1 = player["box"]
        return f"rows {y0}-{y1 - 1}, columns {x0}-{x1 - 1}"
    if "text" in player:
        return player["text"]
    channel = f", channel {player['channel']}" if "channel" in player else ""
    return f"{player['start']:g} to {player['end']:g}{channel}"

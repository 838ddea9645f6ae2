"""Commands about trained models."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from epochd.cli.answering import answer_dataset
from epochd.cli.jobs import Timeout, read_json
from epochd.cli.output import Json, moment, out
from epochd.cli.score import score

RECORDINGS = (".wav", ".wave", ".flac", ".ogg", ".oga", ".mp3")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(name="predict", help=_predict.__doc__)(_predict)
    app.command(name="models", help=_models.__doc__)(_models)


def _predict(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="NAME, NAME@ALIAS or NAME:VERSION.")],
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="An image (PNG, JPEG, BMP, WebP), a recording (.wav, .flac, .ogg, .mp3), a text (.txt), rows of "
            "numbers (.csv), or JSON: a list of samples; - reads JSON.",
            show_default=False,
        ),
    ] = "",
    top: Annotated[int | None, typer.Option(min=1, help="Show only the most likely classes.")] = None,
    dataset: Annotated[
        str | None, typer.Option(metavar="NAME[@VERSION]", help="Instead of FILE: a data set, answered by a job.")
    ] = None,
    split: Annotated[str, typer.Option(help="Its rows: test, train, validation or all.")] = "test",
    to: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Wait for the job and write its answers: .csv, .jsonl or .npz.")
    ] = None,
    timeout: Timeout = None,
    machine: Json = False,
) -> None:
    """Ask a model about an image, a recording, a text, or raw samples; or about every row of a data set."""
    if (dataset is None) == (not file):
        raise typer.BadParameter("give either FILE or --dataset NAME")
    if dataset is not None:
        raise typer.Exit(answer_dataset(model, dataset, split, top, to, timeout))
    if to is not None:
        raise typer.BadParameter("--to is for the answers to a --dataset")
    with out.client() as client, naming(file):
        prediction = client.predict(model, **sample(file), top=top)
    if out.machine:
        out.json(prediction)
        return
    out.note(f"{prediction['model']} version {prediction['model_version']}")
    for answer in prediction["predictions"]:
        if "values" in answer:  # of regressions and forecasts
            for name, value in answer["values"].items():
                numbers = value if isinstance(value, list) else [value]
                out.result(None, f"{name}  {' '.join(f'{number:.6g}' for number in numbers)}")
            continue
        ranked = sorted(answer["probabilities"].items(), key=lambda item: -item[1])[: top or 3]
        others = ", ".join(f"{name} {share:.1%}" for name, share in ranked if name != answer["class"])
        out.result(None, f"{answer['class']}  {answer['probability']:.1%}" + (f"  ({others})" if others else ""))


def sample(file: str) -> dict[str, Any]:
    """What a file holds, as the client's calls take it: inputs, image, audio or csv."""
    if file == "-" or file.endswith(".json"):
        rows = read_json(file)
        rows = rows.get("inputs") if isinstance(rows, dict) else rows
        if not isinstance(rows, list):
            raise typer.BadParameter(f'{file} holds neither a list of samples nor {{"inputs": [...]}}')
        return {"inputs": rows}
    if file.endswith(".txt"):
        return {"inputs": [Path(file).read_text(encoding="utf-8")]}
    if file.endswith(".csv"):
        return {"csv": Path(file)}
    return {"audio" if file.lower().endswith(RECORDINGS) else "image": Path(file)}


@contextmanager
def naming(file: str) -> Iterator[None]:
    """Say which file it is that cannot be read or sent."""
    try:
        yield
    except OSError as error:
        raise typer.BadParameter(f"cannot read {file}: {error.strerror}") from error
    except ValueError as error:
        raise typer.BadParameter(f"{file}: {error}") from error


def _models(
    name: Annotated[str, typer.Argument(metavar="MODEL", help="Show this model's versions.", show_default=False)] = "",
    machine: Json = False,
) -> None:
    """List the models, or one model's versions (newest first)."""
    with out.client() as client:
        if not name:
            models = list(client.models())
            out.table(
                models,
                ["model", "versions", "serves", "aliases"],
                [
                    [
                        each["name"],
                        str(each["versions"]),
                        "none yet" if each["serves"] is None else str(each["serves"]),
                        ", ".join(f"{alias}={version}" for alias, version in each["aliases"].items()),
                    ]
                    for each in models
                ],
                "No models. A job that names one registers it.",
            )
            return
        versions = list(client.versions(name))
    out.table(
        versions,
        ["version", "ready", "parameters", "test", "data set", "created (UTC)", "job"],
        [
            [
                str(each["version"]),
                "yes" if each["ready"] else f"no: {each['reason']}",
                f"{each['parameters']:,}",
                score(each["metrics"]["test"]) if each["metrics"].get("test") else "",
                f"{each['dataset']['name']}@{each['dataset']['version']}",
                moment(each["created_at"]),
                each["job"] or "",
            ]
            for each in versions
        ],
        f"{name} has no versions.",
    )

"""The command that has a language model write."""

import sys
from typing import Annotated

import typer

from epochd.cli.output import Json, out, visible


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="generate", help=_generate.__doc__)(_generate)


def _generate(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="NAME, NAME@ALIAS or NAME:VERSION.")],
    prompt: Annotated[str, typer.Argument(metavar="PROMPT", help="What to go on from; - reads it.")] = "",
    tokens: Annotated[int | None, typer.Option(min=1, help="When to end at the latest.")] = None,
    temperature: Annotated[
        float | None, typer.Option(min=0, help="0 takes the likeliest token, 1 the model's own probabilities.")
    ] = None,
    top_k: Annotated[int | None, typer.Option(min=1, help="Only so many of the likeliest tokens may come.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="The same seed gives the same text.")] = None,
    stop: Annotated[str | None, typer.Option(help="End before this text.")] = None,
    machine: Json = False,
) -> None:
    """Have a language model go on with a text, and print it as it is written."""
    text = sys.stdin.read() if prompt == "-" else prompt
    written = 0

    def show(piece: str) -> None:
        nonlocal written
        written += len(piece)
        print(visible(piece), end="", flush=True)

    with out.client() as client:
        generation = client.generate(
            model,
            text,
            max_tokens=tokens,
            temperature=temperature,
            top_k=top_k,
            seed=seed,
            stop=stop,
            on_text=None if out.machine else show,
        )
    if out.machine:
        out.json(generation)
        return
    if written and not generation["text"].endswith("\n"):
        print(flush=True)
    number, seed = generation["model_version"], generation["seed"]
    out.note(f"{generation['model']} version {number}, {generation['tokens']:,} tokens, seed {seed}")

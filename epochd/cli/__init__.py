"""The ``epochd`` command."""

import sys

import typer

from epochd.cli import answering, datasets, estimate, explain, generation, jobs, registry, service, serving
from epochd.cli.output import EXIT_CODES, OK, out, reporting, wants_json

app = typer.Typer(
    name="epochd",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Train networks, watch them learn, ask them for predictions.\n\n"
    "The service's address is read from EPOCHD_URL (default http://127.0.0.1:8600) and the API key from "
    "EPOCHD_API_KEY; a service on this machine needs no key.",
    epilog="Exit status: " + ", ".join(f"{code} {meaning}" for code, meaning in EXIT_CODES.items()) + ".",
)


@app.callback()
def _root(
    url: str = typer.Option("", "--url", envvar="EPOCHD_URL", help="Address of the service.", show_default=False),
) -> None:
    out.url = url


service.register(app)
jobs.register(app)
datasets.register(app)
estimate.register(app)
serving.register(app)
registry.register(app)
answering.register(app)
explain.register(app)
generation.register(app)


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    given = sys.argv[1:] if arguments is None else arguments
    with reporting() as outcome:
        # Of a wrong use typer tells people, and ``reporting`` tells programs.
        status = app(args=given, prog_name="epochd", standalone_mode=not wants_json(given))
        outcome.status = status if isinstance(status, int) else OK
    return outcome.status

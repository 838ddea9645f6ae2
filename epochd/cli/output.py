"""What the commands print, and the exit status they end with."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from epochd.client import Client
from epochd.errors import ApiError, ConnectionFailed, EpochdError, JobNotFinished
from epochd.resources import Job

OK, FAILED, USAGE, UNREACHABLE, CANCELLED, TIMEOUT, DIFFERENT, INTERRUPTED = 0, 1, 2, 3, 4, 5, 6, 130
EXIT_CODES = {
    OK: "done",
    FAILED: "the job failed or the service refused",
    USAGE: "wrong use of the command",
    UNREACHABLE: "the service cannot be reached",
    CANCELLED: "the job was cancelled",
    TIMEOUT: "the time given was over",
    DIFFERENT: "the weights of a replay differ",
    INTERRUPTED: "Ctrl-C",
}


@dataclass
class Output:
    """Where this run of the command prints. With ``machine`` standard output carries JSON and nothing else."""

    machine: bool = False
    url: str = ""

    @property
    def console(self) -> Console:
        """Standard output, for results."""
        return Console(highlight=False)

    @property
    def notes(self) -> Console:
        """Standard error, for progress and remarks."""
        return Console(stderr=True, highlight=False)

    @property
    def demonstration(self) -> Console:
        """For a show: standard output, or nowhere when a program listens."""
        return Console(highlight=False, quiet=self.machine)

    def client(self) -> Client:
        """A client of the service that was named."""
        return Client(self.url or None)

    def json(self, value: Any) -> None:
        """Print one line of JSON."""
        print(json.dumps(value, ensure_ascii=False, separators=(",", ":")), flush=True)

    def result(self, value: Any, text: str) -> None:
        """Print a result: as JSON, or as a sentence."""
        if self.machine:
            self.json(value)
        else:
            self.console.print(safe(text), soft_wrap=True)

    def table(self, value: list[Any], columns: list[str], rows: list[list[str]], empty: str) -> None:
        """Print a list: as a JSON array, or as a table; ``empty`` says that there is nothing."""
        if self.machine:
            self.json(value)
        elif not rows:
            self.notes.print(empty)
        else:
            table = Table(box=None, pad_edge=False, header_style="bold")
            for column in columns:
                table.add_column(column, overflow="fold", no_wrap=column is columns[0])  # ids are there to be copied
            for row in rows:
                table.add_row(*(safe(cell) for cell in row))
            self.console.print(table)

    def note(self, text: str) -> None:
        """A remark for people; scripts do not see it."""
        if not self.machine:
            self.notes.print(safe(text), soft_wrap=True)

    def warn(self, text: str) -> None:
        """A remark that also the log of a script should hold."""
        self.notes.print(safe(text), soft_wrap=True)


out = Output()


def _machine(value: bool) -> bool:
    out.machine = out.machine or value
    return value


Json = Annotated[
    bool,
    typer.Option("--json", callback=_machine, is_eager=True, help="Print JSON and nothing else.", expose_value=True),
]


def moment(time: str | None) -> str:
    """An RFC 3339 time in UTC as people read it, to the second; nothing for None."""
    return time[:19].replace("T", " ") if time else ""


def visible(text: str) -> str:
    """Text of others (names, log lines, what a model writes) that cannot change the terminal."""
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)


def safe(text: str) -> str:
    """The same, and it cannot change our layout."""
    return escape(visible(text))


@dataclass
class Outcome:
    """The exit status of a run."""

    status: int = OK


def wants_json(arguments: Sequence[str]) -> bool:
    """Whether the command line says ``--json``, also where it is too wrong to be read."""
    return "--json" in takewhile(lambda argument: argument != "--", arguments)


@contextmanager
def reporting() -> Iterator[Outcome]:
    """Turn every error that a user can cause or meet into a message and an exit status."""
    out.machine, out.url = False, ""
    outcome = Outcome()
    try:
        yield outcome
    except SystemExit as end:
        outcome.status = end.code if isinstance(end.code, int) else OK if end.code is None else FAILED
    except KeyboardInterrupt:
        outcome.status = INTERRUPTED
    except typer.TyperException as error:  # a wrong use, of which typer has told people already
        outcome.status = error.exit_code
        out.json({"error": {"code": "usage", "message": error.format_message()}})
    except EpochdError as error:
        outcome.status = _report(error)
    except BrokenPipeError:
        # The reader of our output has enough. Python would complain once more when it flushes at exit.
        sys.stdout = None
        outcome.status = FAILED


def _report(error: EpochdError) -> int:
    status, hints = FAILED, list[str]()
    described: dict[str, Any] = {"code": "error", "message": str(error)}
    if isinstance(error, ApiError):
        described = {**error.as_dict(), "message": str(error)}
        for each in error.errors:
            field = _field(each["pointer"])
            hints.append(f"at {field}" if each["detail"] == str(error) else f"{field}: {each['detail']}")
        if error.status == 401:
            hints.append("Put an API key into the environment variable EPOCHD_API_KEY.")
        if error.status >= 500 and error.request_id:
            hints.append(f"The service's log has more under request {error.request_id}.")
    elif isinstance(error, ConnectionFailed):
        status, described["code"] = UNREACHABLE, "not_reachable"
        hints = ["Start the service with `epochd up`, or name another one by EPOCHD_URL."]
    elif isinstance(error, JobNotFinished):
        status, described["code"] = TIMEOUT, "timeout"
    if out.machine:
        out.json({"error": described})
    else:
        out.notes.print(f"[bold red]Error:[/] {safe(str(error))}", soft_wrap=True)
        for hint in hints:
            out.notes.print(f"  {safe(hint)}", soft_wrap=True)
    return status


def _field(pointer: str) -> str:
    """``#/hyperparameters/batch_size`` as people write it: hyperparameters.batch_size."""
    parts = pointer.removeprefix("#").strip("/").split("/")
    return ".".join(part.replace("~1", "/").replace("~0", "~") for part in parts) or "request"


def status_of(job: Job) -> int:
    """The exit status that tells how a job ended."""
    replay = (job["result"] or {}).get("replay")
    if replay is not None and not replay["match"]:
        return DIFFERENT
    return {"succeeded": OK, "cancelled": CANCELLED}.get(job["status"], FAILED)

"""The command line without a service: usage, exit statuses, and what it draws."""

import json
import socket
import stat
from pathlib import Path
from typing import Any

import pytest
import typer

from epochd.art import draw, side_by_side
from epochd.cli import app, main
from epochd.cli.jobs import assign
from epochd.errors import EpochdError
from epochd.live import Run
from epochd.stream import Update
from epochd.up.firstkey import first_key
from epochd.up.folder import DataFolder, FolderInUse
from epochd.up.part import append, warning_in
from epochd.up.supervisor import free_port


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a service that is not there."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    monkeypatch.setenv("EPOCHD_URL", url)
    return url


def test_set_changes_any_place_of_a_spec() -> None:
    spec: dict[str, Any] = {"dataset": "digits", "network": {"stages": [{"channels": 8}]}}
    for change in ("hyperparameters.epochs=3", "network.stages.0.channels=16", "model=digits", "metadata.note=a=b"):
        assign(spec, change)
    assert spec == {
        "dataset": "digits",
        "model": "digits",
        "network": {"stages": [{"channels": 16}]},
        "hyperparameters": {"epochs": 3},
        "metadata": {"note": "a=b"},
    }


@pytest.mark.parametrize("change", ["epochs", "=3", "a..b=1", "network.stages.7.channels=1", "dataset.name=x"])
def test_set_refuses_what_has_no_place(change: str) -> None:
    with pytest.raises(typer.BadParameter):
        assign({"dataset": "digits", "network": {"stages": []}}, change)


def test_a_service_that_is_not_there(nobody: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["jobs"]) == 3
    shown = capsys.readouterr()
    assert shown.out == "" and nobody in shown.err and "epochd up" in shown.err and "Traceback" not in shown.err
    assert main(["watch", "job_1", "--json"]) == 3
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "not_reachable"


WRONG = {
    "fly": "fly",
    "watch": "JOB",
    "jobs --fast": "--fast",
    "jobs --limit 0": "--limit",
    "keys": "Usage",
    "train /nowhere.json": "/nowhere.json",
    "predict digits /nowhere.png": "/nowhere.png",
}
"""Command lines that cannot be, and what is said of each."""


@pytest.mark.parametrize(("line", "said"), WRONG.items(), ids=WRONG)
def test_wrong_use(nobody: str, line: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(line.split()) == 2
    shown = capsys.readouterr()
    assert said in shown.out + shown.err and "Traceback" not in shown.err
    assert main([*line.split(), "--json"]) == 2
    shown = capsys.readouterr()
    assert json.loads(shown.out)["error"]["code"] == "usage" and shown.err == ""
    assert said in shown.out or line == "keys"


def test_a_text_may_look_like_an_option(nobody: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", "poems", "--fast", "--", "--json"]) == 2
    shown = capsys.readouterr()
    assert shown.out == "" and "--fast" in shown.err


def test_the_exit_statuses_are_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert "3 the service cannot be reached" in " ".join(capsys.readouterr().out.split())


def test_an_address_that_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--url", "localhost:8600", "jobs"]) == 1
    assert "looks like http://127.0.0.1:8600" in capsys.readouterr().err


def test_a_run_is_folded_from_its_updates() -> None:
    def event(kind: str, **data: Any) -> Update:
        return Update(seq=1, event={"type": kind, "data": data})  # type: ignore[typeddict-item]

    run = Run(epochs=2)
    run.apply(event("started", total_steps=40, steps_per_epoch=20))
    run.apply(Update(seq=2, points=[{"name": "train_loss", "step": 30, "value": 0.25}]))
    assert (run.step, run.words()) == (30, "epoch 2/2 loss 0.2500")
    run.apply(event("lease_expired"))
    assert run.words() == "queued"
    run.apply(event("rewound", step=20))
    run.apply(event("started", total_steps=40, steps_per_epoch=20))
    assert (run.step, run.epoch) == (20, 1)


def test_images_are_drawn_side_by_side() -> None:
    assert draw([[0, 16], [8, 4]], plain=True) == ["  @@", "++.."]
    assert side_by_side([["ab", "c"], ["d"]]) == ["ab  d", "c"]


def test_a_data_folder_is_held_by_one(tmp_path: Path) -> None:
    with DataFolder(tmp_path / "data") as held:
        held.announce("http://127.0.0.1:1")
        with pytest.raises(FolderInUse, match=r"http://127\.0\.0\.1:1"), DataFolder(tmp_path / "data"):
            pass
    with DataFolder(tmp_path / "data") as again:
        runtime = again.runtime()
        assert stat.S_IMODE(runtime.stat().st_mode) == 0o700
        again.remove_runtime()
        assert not runtime.exists()


def test_a_taken_port_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(EpochdError, match="is taken"):
            free_port("127.0.0.1", taken.getsockname()[1])
    assert free_port("127.0.0.1", 0) > 0


def test_the_first_key_is_made_once_and_is_private(tmp_path: Path) -> None:
    key = first_key(tmp_path / "admin.key")
    assert key.startswith("ep_") and first_key(tmp_path / "admin.key") == key
    assert stat.S_IMODE((tmp_path / "admin.key").stat().st_mode) == 0o600


def test_only_warnings_reach_the_console() -> None:
    assert warning_in('{"event": "broker_away", "level": "warning", "try": 2}') == "broker_away try=2"
    assert warning_in('{"event": "claimed", "level": "info"}') is None
    assert warning_in("plain text") is None


def test_a_full_log_begins_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("epochd.up.part.LARGEST_LOG", 10)
    for line in (b"first line\n", b"second\n"):
        append(tmp_path / "api.log", line)
    assert (tmp_path / "api.log").read_bytes() == b"second\n"
    assert (tmp_path / "api.log.1").read_bytes() == b"first line\n"


def test_every_command_speaks_json() -> None:
    def leaves(command: Any, name: str) -> dict[str, Any]:
        if not hasattr(command, "commands"):
            return {name: command}
        return {
            path: leaf for key, one in command.commands.items() for path, leaf in leaves(one, f"{name} {key}").items()
        }

    found = leaves(typer.main.get_command(app), "epochd")
    assert len(found) > 15
    silent = [name for name, one in found.items() if not any("--json" in option.opts for option in one.params)]
    assert silent == []

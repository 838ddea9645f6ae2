"""How fast predictions are: ``python -m benchmarks.serve [--json] [--quick] [--peer NAME ...] [--case NAME ...]``.

Epochd beside a naive FastAPI server, LitServe, BentoML, MLServer and TorchServe. All serve the same network, which
Epochd has trained, on the same machine, which wrk shares with them. Epochd is ``epochd up`` as users start it: with API
keys required, a model that is found by its alias, metrics on. Servers take turns, round by round, and who goes first
changes; between its turns a server stands still (SIGSTOP), so that it takes nothing from the others. Before, each must
have answered all test images with PyTorch's class; a row with an answer other than 2xx is void, and so is one of Epochd
whose requests /metrics has not counted.
"""

import argparse
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import httpx

from benchmarks import beside_training, load, many_versions, peers, serving_goals
from benchmarks.contest import LARGE, Case, Contestant, Effort, Wrong, check, measure
from benchmarks.epochd_service import Service
from benchmarks.report import Report
from benchmarks.server import NotStarted
from benchmarks.serving_goals import EPOCHD, PROCESSES, SEVERAL
from benchmarks.serving_peers import NAIVE, OTHERS, Peer
from benchmarks.trained import Trained, describe, train, upload
from core.settings import Settings
from epochd import Client
from epochd.up import Options, Up

CASES = {
    "json": [Case("cnn", "json", connections) for connections in (1, 16, 64)],
    "rows": [Case("cnn", "json", 4, LARGE)],
    "raw": [Case("cnn", "raw", connections) for connections in (1, 16, 64)],
    "v2": [Case("cnn", "v2", connections) for connections in (1, 16, 64)],
    "gru": [Case("gru", "json", connections) for connections in (1, 16, 64)],
}
ALONE = ("versions", "training")
"""Cases without other servers."""


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    parser.add_argument("--quick", action="store_true", help="two short rounds")
    names = sorted({peer.environment for peer in (*NAIVE, *OTHERS)})
    parser.add_argument("--peer", choices=names, action="append", help="only this one (repeatable)")
    parser.add_argument("--case", choices=[*CASES, *ALONE], action="append", help="only this one (repeatable)")
    chosen = parser.parse_args()
    if (sentence := load.missing()) is not None:
        sys.exit(sentence)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # so that no server is left
    effort, cases = Effort(2, 1) if chosen.quick else Effort(5, 2), chosen.case or [*CASES, *ALONE]
    report = Report("serve", ("fastapi", "uvicorn", "onnxruntime", "msgspec", "torch", "numpy"))
    report.note("wrk, one thread, kept connections, shares the cores with the servers; only one server runs at a time")
    with tempfile.TemporaryDirectory(prefix="ep") as name, ExitStack() as stack:
        folder = Path(name)
        networks = prepare(folder)
        services = start_epochd(folder, stack, report)
        of_peers = [peer for peer in (*NAIVE, *OTHERS) if peer.environment in (chosen.peer or names)]
        for network, trained in networks.items():
            wanted = [one for key in cases for one in CASES.get(key, ()) if one.network == network]
            if not wanted:
                continue
            with ExitStack() as theirs:
                taking_part = [peer for peer in of_peers if network == "cnn" or peer in NAIVE]
                contestants = entered(services, taking_part, trained, folder / network, theirs, report)
                for case in wanted:
                    serving_goals.judge(case, measure(case, contestants, trained, effort, report), report)
        if "training" in cases:
            beside_training.measure(services[EPOCHD], networks["cnn"], effort, report)
        stack.close()
        if "versions" in cases:
            many_versions.measure(folder / "versions", effort, report)
    report.show(chosen.json)


def prepare(folder: Path) -> dict[str, Trained]:
    """Train both networks by a service of its own, whose data folder ``epochd`` the measured ones start from."""
    os.environ["EPOCHD_REQUIRE_KEYS"] = "always"
    with Up(Options(data_dir=folder / "epochd", port=0), say=say) as up, Client(up.url, key=up.key) as client:
        images = upload(client, folder)
        return {network: train(client, network, images, folder) for network in ("cnn", "gru")}


def start_epochd(folder: Path, stack: ExitStack, report: Report) -> dict[str, Service]:
    """Epochd by default, and with two API processes where that is not the default; both stand still."""
    default = Settings.model_fields["api_processes"].default
    wanted = {EPOCHD: None} if default == PROCESSES else {EPOCHD: None, SEVERAL: PROCESSES}
    services = {}
    for name, processes in wanted.items():
        home = folder / "epochd"
        if processes is not None:
            home = Path(shutil.copytree(home, folder / f"epochd-{processes}"))
        services[name] = service = Service(home, processes)
        stack.callback(service.server.close)
        told = f"EPOCHD_API_PROCESSES={processes or default}" + ("" if processes else ", the default")
        report.note(f"{name}: `epochd up`, EPOCHD_REQUIRE_KEYS=always, {told}, SQLite, its worker idle; ONNX Runtime")
        if not service.refuses_wrong_key("digits-cnn"):
            sys.exit(f"{name} did not answer a wrong key with 401: nothing is measured")
        report.note(f"{name}: a wrong key was answered with 401")
        service.server.pause()
    return services


def entered(
    services: dict[str, Service],
    taking_part: Sequence[Peer],
    trained: Trained,
    folder: Path,
    stack: ExitStack,
    report: Report,
) -> list[Contestant]:
    """All servers of a network that answer as PyTorch does, standing still; why others are left out is noted."""
    found = []
    for name, service in services.items():
        found.append(Contestant(name, service.server, service.forms(trained.model), service))
        check(found[-1], trained)
    folder.mkdir()
    report.note(describe(trained))
    for peer in taking_part:
        say(f"starting {peer.name}")
        try:
            server = peer.start(trained, folder)
            stack.callback(server.close)
            server.pause()
            contestant = Contestant(peer.name, server, peer.forms)
            check(contestant, trained)
        except (NotStarted, Wrong, httpx.HTTPError) as error:
            report.note(f"{peer.name} ({trained.model}) is left out: {error}")
            say(f"{peer.name} is left out: {error}")
            continue
        found.append(contestant)
        report.note(f"{peer.name}: {peer.settings}")
        report.peers |= {f"{name} ({peer.environment})": number for name, number in peers.versions(peer.environment)}
    return found


def say(text: str) -> None:
    """How it goes, for whoever waits."""
    print(text, file=sys.stderr)


if __name__ == "__main__":
    main()

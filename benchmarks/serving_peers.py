"""The servers that benchmarks.serve compares Epochd with: how each is started, with which settings, and asked."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import peers
from benchmarks.bodies import Form, as_bytes, as_json, as_v2_json, of_predictions, of_v2
from benchmarks.server import NotStarted, Server, free_ports
from benchmarks.trained import Trained

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Peer:
    """One of them; ``environment`` is that of its packages, ``start`` is given a network and an empty folder."""

    name: str
    environment: str
    settings: str
    start: Callable[[Trained, Path], Server]
    forms: Mapping[str, Form]


def _naive(workers: int) -> Callable[[Trained, Path], Server]:
    def start(trained: Trained, folder: Path) -> Server:
        (port,) = free_ports(1)
        command = [peers.python("fastapi"), "-m", "benchmarks.contenders.naive_server", str(port), str(workers)]
        return Server(command, _environment(trained), port, folder / f"naive-{workers}.log", "/openapi.json")

    return start


LITSERVE = {"workers": 2, "processes": 1, "largest": 64, "seconds": 0.002}


def _litserve(trained: Trained, folder: Path) -> Server:
    (port,) = free_ports(1)
    command = [peers.python("litserve"), "-m", "benchmarks.contenders.litserve_server", str(port)]
    command += [str(value) for value in LITSERVE.values()]
    return Server(command, _environment(trained), port, folder / "litserve.log", "/health")


BENTOML = {"WORKERS": "2", "LARGEST": "64", "LATENCY_MS": "1000"}


def _bentoml(trained: Trained, folder: Path) -> Server:
    (port,) = free_ports(1)
    service = "benchmarks.contenders.bentoml_service:Digits"
    command = [peers.python("bentoml"), "-m", "bentoml", "serve", service, "--working-dir", str(ROOT)]
    env = {**BENTOML, "BENTOML_HOME": str(folder / "bentoml"), "BENTOML_DO_NOT_TRACK": "True"}
    return Server(
        [*command, "--host", "127.0.0.1", "--port", str(port)],
        {**_environment(trained), **env},
        port,
        folder / "bentoml.log",
        "/readyz",
    )


MLSERVER = {"parallel_workers": 2}
MLSERVER_BATCHES = {"max_batch_size": 64, "max_batch_time": 0.002}


def _mlserver(trained: Trained, folder: Path) -> Server:
    http, grpc, metrics = free_ports(3)
    home = folder / "mlserver"
    home.mkdir()
    settings = {"host": "127.0.0.1", "http_port": http, "grpc_port": grpc, "metrics_port": metrics, "debug": False}
    runtime = {"name": "digits", "implementation": "benchmarks.contenders.mlserver_runtime.Digits"}
    (home / "settings.json").write_text(json.dumps({**settings, **MLSERVER}))
    (home / "model-settings.json").write_text(json.dumps({**runtime, **MLSERVER_BATCHES}))
    command = [str(Path(peers.python("mlserver")).with_name("mlserver")), "start", str(home)]
    ready = "/v2/models/digits/ready"
    return Server(command, _environment(trained), http, folder / "mlserver.log", ready)


TORCHSERVE = {"minWorkers": 2, "maxWorkers": 2, "batchSize": 16, "maxBatchDelay": 1, "responseTimeout": 120}


def _torchserve(trained: Trained, folder: Path) -> Server:
    if shutil.which("java") is None:
        raise NotStarted("Java is missing (Debian: apt-get install default-jre-headless)")
    inference, management, metrics, first, second = free_ports(5)
    home = folder / "torchserve"
    home.mkdir()
    programs = Path(peers.python("torchserve")).parent
    handler = ROOT / "benchmarks" / "contenders" / "torchserve_handler.py"
    archive = [str(programs / "torch-model-archiver"), "--model-name", "digits", "--version", "1.0", "--force"]
    env = {
        **_environment(trained),
        "PATH": f"{programs}:{os.environ['PATH']}",
        "TMPDIR": str(home),
        "LOG_LOCATION": str(home),
    }
    subprocess.run([*archive, "--handler", str(handler), "--export-path", str(home)], check=True, capture_output=True)
    model = {"defaultVersion": True, "marName": "digits.mar", **TORCHSERVE}
    lines = {
        "inference_address": f"http://127.0.0.1:{inference}",
        "management_address": f"http://127.0.0.1:{management}",
        "metrics_address": f"http://127.0.0.1:{metrics}",
        "grpc_inference_port": str(first),
        "grpc_management_port": str(second),
        "model_store": str(home),
        "load_models": "digits.mar",
        "models": json.dumps({"digits": {"1.0": model}}),
        "disable_token_authorization": "true",
        "disable_system_metrics": "true",
        "async_logging": "true",
        "job_queue_size": "1000",
    }
    (home / "config.properties").write_text("".join(f"{name}={value}\n" for name, value in lines.items()))
    (home / "log4j2.xml").write_text(_QUIET)
    command = [str(programs / "torchserve"), "--start", "--foreground", "--ncs", "--model-store", str(home)]
    command += ["--ts-config", str(home / "config.properties"), "--log-config", str(home / "log4j2.xml")]
    return Server(command, env, inference, folder / "torchserve.log", "/ping")


_QUIET = """<?xml version="1.0" encoding="UTF-8"?>
<Configuration><Appenders><Console name="out"/></Appenders>
<Loggers><Root level="warn"><AppenderRef ref="out"/></Root></Loggers></Configuration>
"""
"""TorchServe's own configuration writes lines about every request into several files."""


def _environment(trained: Trained) -> dict[str, str]:
    return {"PYTHONPATH": str(ROOT), **trained.given.as_variable()}


def _shown(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in settings.items())


_TORCH = "PyTorch eager in inference mode, 1 thread a process"
_JSON = {"json": Form("/predict", as_json, of_predictions)}
_TENSORS = {"json": Form("/v2/models/digits/infer", as_v2_json, of_v2)}
_BOTH = {
    name: Form("/predictions/digits", body, of_predictions) for name, body in (("json", as_json), ("raw", as_bytes))
}
NAIVE = tuple(
    Peer(
        f"naive, {workers} worker{'s' * (workers > 1)}",
        "fastapi",
        f"FastAPI, a `def` route, pydantic, uvicorn[standard] with --workers {workers}, no access log; {_TORCH}",
        _naive(workers),
        {**_JSON, "raw": Form("/raw", as_bytes, of_predictions)},
    )
    for workers in (1, 2)
)
OTHERS = (
    Peer("litserve", "litserve", f"fast_queue (ZeroMQ), {_shown(LITSERVE)}; {_TORCH}", _litserve, _JSON),
    Peer("bentoml", "bentoml", f"adaptive batching, {_shown(BENTOML)}; {_TORCH}", _bentoml, _JSON),
    Peer(
        "mlserver",
        "mlserver",
        f"{_shown({**MLSERVER, **MLSERVER_BATCHES})}; json is the v2 protocol's (it reads no other, and no binary "
        f"tensors over HTTP), uvloop 0.21 (its workers do not start with a newer one); {_TORCH}",
        _mlserver,
        _TENSORS,
    ),
    Peer(
        "torchserve",
        "torchserve",
        f"{_shown(TORCHSERVE)}, no token, no system metrics, nothing logged of single requests; {_TORCH}",
        _torchserve,
        _BOTH,
    ),
)

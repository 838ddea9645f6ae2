"""Load by wrk (Debian's package of that name), which keeps its connections and posts the same body again and again."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_SCRIPT = """
local function read(name)
  local file = assert(io.open(os.getenv("LOAD") .. "/" .. name, "rb"))
  local data = file:read("*a")
  file:close()
  return data
end
wrk.method, wrk.body = "POST", read("body")
for name, value in read("headers"):gmatch("([^\\n]-): ([^\\n]*)\\n") do wrk.headers[name] = value end
local requests, turn = {}, 0
init = function(args)
  for path in read("paths"):gmatch("([^\\n]+)\\n") do requests[#requests + 1] = wrk.format(nil, path) end
end
request = function()
  turn = turn % #requests + 1
  return requests[turn]
end
done = function(summary, latency)
  local e = summary.errors
  local form = '\\n{"requests": %d, "microseconds": %d, "p50": %d, "p99": %d, "not_2xx": %d, "failed": %d}\\n'
  io.write(string.format(form,
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), e.status,
    e.connect + e.read + e.write + e.timeout))
end
"""


@dataclass(frozen=True)
class Question:
    """What is posted; ``paths`` take turns."""

    paths: Sequence[str]
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Measured:
    """What wrk saw: requests per second, milliseconds, and what went wrong."""

    requests: int
    rate: float
    p50: float
    p99: float
    not_2xx: int
    failed: int


def missing() -> str | None:
    """A sentence where wrk is not installed."""
    return None if shutil.which("wrk") else "wrk is missing (Debian: apt-get install wrk): nothing is measured"


def measure(port: int, question: Question, connections: int, seconds: int) -> Measured:
    """Ask over so many kept connections, each request after the answer to the one before; one thread of wrk.

    A server that cannot be reached has as many failures as there are connections.
    """
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "load.lua"
        script.write_text(_SCRIPT)
        (Path(folder) / "body").write_bytes(question.body)
        (Path(folder) / "paths").write_text("".join(f"{path}\n" for path in question.paths))
        (Path(folder) / "headers").write_text("".join(f"{name}: {value}\n" for name, value in question.headers.items()))
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout", "10s"]
        done = subprocess.run(
            [*command, "-s", str(script), f"http://127.0.0.1:{port}{question.paths[0]}"],
            env={**os.environ, "LOAD": folder},
            check=False,
            capture_output=True,
            text=True,
        )
    if done.returncode:  # it found nobody to connect to
        print(done.stdout, done.stderr, file=sys.stderr)
        return Measured(0, 0.0, 0.0, 0.0, 0, connections)
    found = json.loads(done.stdout.splitlines()[-1])
    rate = found["requests"] / found["microseconds"] * 1e6
    times = found["p50"] / 1000, found["p99"] / 1000
    return Measured(found["requests"], rate, *times, found["not_2xx"], found["failed"])

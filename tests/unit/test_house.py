"""The rules of the house, held by the build: sizes, places, arrows at run time, packaging, compose."""

import importlib
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PACKAGES = ["api", "core", "epochd", "migrations", "models", "workers"]
MOST_LINES = 300
#: Written by machines or by the Apache Software Foundation; a migration is generated once and never grows.
NOT_OURS_TO_SPLIT = ("LICENSE", "constraints.txt", "api/dashboard/package-lock.json", "migrations/versions/")


def tracked() -> list[str]:
    """Every text file that git would commit: tracked, or new and not ignored."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    names = [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]
    return [name for name in names if b"\0" not in (ROOT / name).read_bytes()[:8192]]


def test_no_file_has_two_jobs() -> None:
    ours = [name for name in tracked() if not name.startswith(NOT_OURS_TO_SPLIT)]
    lines = {name: (ROOT / name).read_text().count("\n") for name in ours}
    assert {name: count for name, count in lines.items() if count > MOST_LINES} == {}


def test_packages_are_those_of_this_repository() -> None:
    """Flat names such as ``models`` are easily shadowed by another distribution in the same environment."""
    for package in PACKAGES:
        where = importlib.import_module(package).__file__
        assert where is not None, f"{package} has no __init__.py"
        assert Path(where).is_relative_to(ROOT / package), f"{package} comes from {where}"


def test_no_address_of_a_registry_and_no_path_of_a_machine() -> None:
    """Where packages come from is the business of whoever installs (PIP_ARGS, npm's settings)."""
    registry = r"(index-url|find-links|registry)['\" =:]+(https?|file):|https?://[^ \"')]*/simple\b|\"resolved\":"
    paths = rf"(?<![\w.~$/-])/(home|root|opt|mnt|Users)/\w|{re.escape(str(ROOT))}\b"
    found = [
        f"{name}: {match[0]}"
        for name in tracked()
        for match in re.finditer(f"{registry}|{paths}", (ROOT / name).read_text(errors="replace"))
    ]
    assert found == []


def test_control_plane_starts_without_torch() -> None:
    """Everything of api, core and epochd is imported in one process; neither torch nor onnx comes with it."""
    program = """
import importlib, pkgutil, sys
for package in ("core", "api", "epochd"):
    top = importlib.import_module(package)
    for found in pkgutil.walk_packages(top.__path__, package + "."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)
print(sorted({"torch", "onnx", "sklearn"} & set(sys.modules)))
"""
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "[]"


def test_constraints_pin_every_installed_version() -> None:
    """One version each, no addresses, and torch pinned so that the CPU and the CUDA builds both satisfy it."""
    pins = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and not line.startswith("#")]
    assert [pin for pin in pins if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", pin)] == []
    names = [re.sub(r"[-_.]+", "-", pin.split("==")[0]).lower() for pin in pins]
    assert len(names) == len(set(names))
    assert "torch==2.13.0" in pins
    builds = ("2.13.0", "2.13.0+cpu", "2.13.0+cu130")
    assert list(Requirement("torch==2.13.0").specifier.filter(builds)) == list(builds)
    installed = {re.sub(r"[-_.]+", "-", one.metadata["Name"]).lower() for one in importlib.metadata.distributions()}
    of_torch = {name for name in installed if name.startswith(("cuda-", "nvidia-"))} | {"triton"}  # it pins its CUDA
    assert installed - set(names) - of_torch <= {"epochd", "pip", "setuptools", "wheel"}


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_pip_is_given_its_options_wherever_it_installs() -> None:
    """By make, and in both images (compose hands them on, which the test of its file shows)."""
    command = ["make", "--dry-run", "--always-make", "demo", "test", "check", "PIP_ARGS=--pre"]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    installs = [line for line in shown.splitlines() if "pip install" in line]
    assert installs and [line for line in installs if "pip install --pre " not in line] == []
    images = re.findall(r"^RUN pip install (\S+)", (ROOT / "Dockerfile").read_text(), re.M)
    assert images == ["${PIP_ARGS}"] * 2


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files in the wheel, by name."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_wheel_holds_the_packages_the_examples_and_no_dashboard_sources(wheel: dict[str, bytes]) -> None:
    metadata = wheel[next(name for name in wheel if name.endswith("/METADATA"))].decode()
    tops = {name.split("/")[0] for name in wheel if ".dist-info/" not in name}
    assert tops == set(PACKAGES)
    assert "Classifier: Private :: Do Not Upload" in metadata
    assert "epochd/py.typed" in wheel
    assert {f"epochd/{name}" for name in tracked() if name.startswith("examples/")} <= set(wheel)
    dashboard = [name for name in wheel if name.startswith("api/dashboard/")]
    assert [name for name in dashboard if not name.startswith(("api/dashboard/dist/", "api/dashboard/__init__"))] == []


def test_wheel_holds_the_whole_built_dashboard(wheel: dict[str, bytes]) -> None:
    """index.html names the files beside it: a dashboard without one of them, or with an old one, shows nothing."""
    dist = ROOT / "api/dashboard/dist"
    if not (dist / "index.html").is_file():
        pytest.skip("needs the built dashboard: make dashboard")
    built = {path.relative_to(ROOT).as_posix(): path.read_bytes() for path in dist.rglob("*") if path.is_file()}
    assert {name: data for name, data in wheel.items() if name.startswith("api/dashboard/dist/")} == built


@pytest.fixture
def services(tmp_path: Path) -> dict[str, Any]:
    """The services of the compose file, as compose itself understands it."""
    command = ["docker-compose"] if shutil.which("docker-compose") else ["docker", "compose"]
    if not shutil.which(command[0]):
        pytest.skip("needs docker-compose")
    shutil.copy(ROOT / "docker-compose.yml", tmp_path)
    (tmp_path / "secrets").mkdir()
    for secret in ("first_api_key", "postgres_password"):
        (tmp_path / "secrets" / secret).write_text("x")
    command += ["--profile", "gpu", "config"]
    env = {**os.environ, "PIP_ARGS": "--pre"}
    shown = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stderr
    found: dict[str, Any] = yaml.safe_load(shown.stdout)["services"]
    return found


def test_compose_file_is_valid_and_publishes_only_the_api(services: dict[str, Any]) -> None:
    assert set(services) == {"postgres", "redis", "migrate", "api", "worker", "worker-gpu"}
    published = {name: service["ports"] for name, service in services.items() if service.get("ports")}
    assert set(published) == {"api"}
    # Without an address Docker publishes to the whole network. Older versions of compose show a port as a string.
    ports = [port["host_ip"] if isinstance(port, dict) else port for port in published["api"]]
    assert [port for port in ports if port.split(":")[0] != "127.0.0.1"] == []
    # The worker without a GPU must start where there is none, the other only when it is asked for.
    assert services["worker-gpu"]["profiles"] == ["gpu"]
    assert [name for name, service in services.items() if "profiles" in service] == ["worker-gpu"]
    (device,) = services["worker-gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert (device["driver"], device["capabilities"]) == ("nvidia", ["gpu"])
    assert [name for name, service in services.items() if "deploy" in service] == ["worker-gpu"]


def test_compose_builds_stages_that_the_dockerfile_has(services: dict[str, Any]) -> None:
    built = {name: one["build"] for name, one in services.items() if "build" in one}
    assert {name: build["args"] for name, build in built.items()} == {
        name: {"PIP_ARGS": "--pre"} for name in ("migrate", "api", "worker", "worker-gpu")
    }
    stages = re.findall(r"^FROM \S+ AS (\S+)", (ROOT / "Dockerfile").read_text(), re.M)
    assert {build["target"] for build in built.values()} <= set(stages)


def test_compose_gives_the_first_key_to_the_migration_alone(services: dict[str, Any]) -> None:
    """It stores the key's hash; what listens or trains has no use for an administrator's key."""
    settings = {name: service.get("environment", {}) for name, service in services.items()}
    named = {name: values.get("EPOCHD_BOOTSTRAP_KEY_FILE") for name, values in settings.items()}
    given = {name: {secret["source"] for secret in service.get("secrets", [])} for name, service in services.items()}
    assert {name: file for name, file in named.items() if file} == {"migrate": "/run/secrets/first_api_key"}
    assert [name for name, secrets in given.items() if "first_api_key" in secrets] == ["migrate"]

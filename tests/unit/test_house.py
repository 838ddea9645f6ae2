"""The rules of the house, held by the build: sizes, places, arrows at run time, packaging, compose."""

import importlib
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

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
    assert installed - set(names) <= {"epochd", "pip", "setuptools", "wheel"}


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_pip_is_given_its_options_wherever_it_installs() -> None:
    """By make, and in both images (compose hands them on, which the test of its file shows)."""
    command = ["make", "--dry-run", "--always-make", "demo", "test", "check", "PIP_ARGS=--pre"]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    installs = [line for line in shown.splitlines() if "pip install" in line]
    assert installs and [line for line in installs if "pip install --pre " not in line] == []
    images = re.findall(r"^RUN pip install (\S+)", (ROOT / "Dockerfile").read_text(), re.M)
    assert images == ["${PIP_ARGS}"] * 2


def test_wheel_holds_the_packages_the_examples_and_no_dashboard_sources(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = archive.read(next(name for name in names if name.endswith("/METADATA"))).decode()
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert tops == set(PACKAGES)
    assert "Classifier: Private :: Do Not Upload" in metadata
    assert "epochd/py.typed" in names
    assert {f"epochd/{name}" for name in tracked() if name.startswith("examples/")} <= set(names)
    dashboard = [name for name in names if name.startswith("api/dashboard/")]
    assert [name for name in dashboard if not name.startswith(("api/dashboard/dist/", "api/dashboard/__init__"))] == []
    if (ROOT / "api/dashboard/dist").is_dir():
        assert "api/dashboard/dist/index.html" in names


def test_compose_file_is_valid_and_publishes_only_the_api(tmp_path: Path) -> None:
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
    services = yaml.safe_load(shown.stdout)["services"]
    built = {name: one["build"]["args"] for name, one in services.items() if "build" in one}
    assert built == {name: {"PIP_ARGS": "--pre"} for name in ("migrate", "api", "worker", "worker-gpu")}
    assert set(services) == {"postgres", "redis", "migrate", "api", "worker", "worker-gpu"}
    published = {name: service["ports"] for name, service in services.items() if service.get("ports")}
    assert set(published) == {"api"}
    assert "127.0.0.1" in json.dumps(published)
    (device,) = services["worker-gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert device["driver"] == "nvidia"

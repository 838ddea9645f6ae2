"""The rules that no linter knows: who commits, who assigns a job's state, who reads the settings."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = sorted(path for package in ("api", "core", "models", "workers") for path in (ROOT / package).rglob("*.py"))


def nodes(kind: type[ast.AST]) -> Iterator[tuple[str, ast.AST]]:
    """(file, node) of every node of a kind in the packages that run jobs."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, kind):
                yield path.relative_to(ROOT).as_posix(), node


def test_only_transaction_commits() -> None:
    found = {
        file
        for file, node in nodes(ast.Call)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "commit"
    }
    assert found == {"core/db.py"}


def test_only_core_jobs_assigns_a_jobs_state() -> None:
    def targets(node: ast.AST) -> list[ast.expr]:
        assigned = node.targets if isinstance(node, ast.Assign) else []
        return [part for one in assigned for part in (one.elts if isinstance(one, ast.Tuple) else [one])]

    found = {
        file
        for file, node in nodes(ast.Assign)
        for target in targets(node)
        if isinstance(target, ast.Attribute) and target.attr == "state" and ast.unparse(target.value).endswith("job")
    }
    assert found == {"core/jobs/finish.py", "core/jobs/lease.py"}
    # The other ways to write a row: update(Job) and insert(Job).
    writes = {
        file
        for file, node in nodes(ast.Call)
        if isinstance(node, ast.Call) and ast.unparse(node) in ("update(Job)", "insert(Job)", "delete(Job)")
    }
    assert {file for file in writes if not file.startswith("core/jobs/")} == set()
    assert writes


def test_settings_are_read_where_processes_are_wired() -> None:
    found = {file for file, node in nodes(ast.Call) if isinstance(node, ast.Call) and ast.unparse(node) == "Settings()"}
    assert found == {"api/__main__.py", "workers/app.py"}

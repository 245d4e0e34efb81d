"""Tests import no tests: each file can be run, moved or removed by itself. What several share is in a module of another name."""

import ast
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]


def imported(source: str) -> Iterator[str]:
    """The full name of each module and each name in it that is imported."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{'.' * node.level}{node.module or ''}.{name.name}" for name in node.names)


def test_no_module_of_tests_is_imported() -> None:
    files = sorted(TESTS.rglob("*.py"))
    assert len(files) > 100
    wrong = [
        f"{file.relative_to(TESTS.parent)} imports {name}"
        for file in files
        for name in imported(file.read_text(encoding="utf-8"))
        if name.startswith(("tests.", ".")) and any(part.startswith("test_") or part == "conftest" for part in name.split("."))
    ]
    assert wrong == []

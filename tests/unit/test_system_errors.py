"""What the system says of a file is told in its words: `/etc/x: Permission denied`, and never `[Errno 13] Permission denied: '/etc/x'`."""

import ast
from collections.abc import Iterator
from pathlib import Path

from ops.errors import cause_of

ROOT = Path(__file__).resolve().parents[2]
SYSTEM = {"OSError", "PermissionError", "FileNotFoundError", "FileExistsError", "ConnectionError", "BlockingIOError"}


def names(kind: ast.expr | None) -> set[str]:
    return {node.id for node in ast.walk(kind) if isinstance(node, ast.Name)} if kind else set()


def raw(handler: ast.ExceptHandler) -> Iterator[int]:
    """The lines at which a handler shows the error as Python writes it."""
    for node in (inner for statement in handler.body for inner in ast.walk(statement)):
        match node:
            case (
                ast.Call(func=ast.Name(id="str"), args=[ast.Name(id=shown), *_])
                | ast.FormattedValue(value=ast.Name(id=shown), conversion=-1)
            ):
                if shown == handler.name:
                    yield node.lineno


def test_no_error_of_the_system_is_shown_as_python_writes_it() -> None:
    found = [
        f"{file.relative_to(ROOT)}:{line}"
        for file in sorted((ROOT / "ops").rglob("*.py"))
        for handler in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(handler, ast.ExceptHandler) and names(handler.type) & SYSTEM
        for line in raw(handler)
    ]
    assert not found, "use ops.errors.cause_of there"


def test_the_file_and_the_systems_words_are_what_is_told() -> None:
    assert cause_of(PermissionError(13, "Permission denied", "/etc/x")) == "/etc/x: Permission denied"
    assert cause_of(OSError(28, "No space left on device")) == "No space left on device"
    assert cause_of(OSError("no such thing")) == "no such thing"
    assert cause_of(ValueError("bad")) == "bad"
    assert cause_of(ValueError("file x: [Errno 13] Permission denied")) == "file x: Permission denied"  # as the Docker SDK says it

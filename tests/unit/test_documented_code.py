"""Each function and each file of the build system that a document names is there."""

import re
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md")))


def is_there(dotted: str) -> bool:
    module, _, name = dotted.rpartition(".")
    try:
        return hasattr(import_module(module), name) or bool(import_module(dotted))
    except ImportError:
        return False


@pytest.mark.parametrize("file", DOCUMENTS, ids=lambda file: str(file.relative_to(ROOT)))
def test_each_name_and_path_of_a_document_exists(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    names = re.findall(r"`(ops(?:\.\w+)+)`", text)
    paths = [path for path in re.findall(r"`((?:ops|tests)/[\w./]+)`", text) if not re.search(r"/[A-Z]+\b", path)]
    assert [name for name in names if not is_there(name)] == []
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_each_room_is_in_the_architecture_with_the_file_to_begin_at() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    begin = dict(re.findall(r"^\| `ops/(\w+)/` \|.*\| `([\w.]+)` \|$", text, re.MULTILINE))
    assert set(begin) == {folder.name for folder in (ROOT / "ops").iterdir() if (folder / "__init__.py").exists()}
    assert [room for room, name in begin.items() if not (ROOT / "ops" / room / name).exists()] == []

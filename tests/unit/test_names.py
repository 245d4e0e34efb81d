"""A name means one thing: no two classes of the build system have the same."""

import ast
from collections import Counter
from pathlib import Path

OPS = Path(__file__).resolve().parents[2] / "ops"


def test_each_class_has_a_name_of_its_own() -> None:
    trees = (ast.parse(file.read_text(encoding="utf-8")) for file in OPS.rglob("*.py"))
    names = Counter(node.name for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
    assert [name for name, number in names.items() if number > 1 and not name.startswith("_")] == []

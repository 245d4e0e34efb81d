"""A name means one thing: a class in the build system, a letter among the verbs' flags."""

import ast
from collections import Counter
from pathlib import Path

from tests.unit.command_line import arguments

OPS = Path(__file__).resolve().parents[2] / "ops"


def test_each_class_has_a_name_of_its_own() -> None:
    trees = (ast.parse(file.read_text(encoding="utf-8")) for file in OPS.rglob("*.py"))
    names = Counter(node.name for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
    assert [name for name, number in names.items() if number > 1 and not name.startswith("_")] == []


def test_a_letter_is_the_same_flag_in_every_verb() -> None:
    flags = {(letter, argument.name) for verb in arguments().values() for argument in verb for letter in argument.nicknames}
    letters = Counter(letter for letter, _ in flags)
    assert {("e", "env"), ("y", "yes"), ("j", "json"), ("t", "testbed")} <= flags
    assert [letter for letter, number in letters.items() if number > 1] == []

"""What a migration's text may not have: characters that nobody sees, and parentheses that are too deep for squawk."""

import json
from pathlib import Path
from typing import NoReturn

import pytest

from ops.database import journal, verdicts
from ops.database.journal import Migration
from ops.database.lint import lint
from ops.database.reading import World, read
from ops.database.sql import nesting
from ops.database.words import Word
from ops.errors import UsageError


def folder(path: Path, text: str) -> Path:
    (path / "meta").mkdir()
    entry = {"idx": 0, "version": "7", "when": 1, "tag": "0000_a", "breakpoints": True}
    (path / journal.JOURNAL).write_text(json.dumps({"version": "7", "dialect": "postgresql", "entries": [entry]}))
    (path / "0000_a.sql").write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("CREATE TABLE a (x int);\nCREATE TABLE us\u200bers (x int);", 2, "U+200B (ZERO WIDTH SPACE)"),
        ('CREATE TABLE "us\u200ders" (x int);', 1, "U+200D (ZERO WIDTH JOINER)"),
        ("CREATE TABLE \ufeffa (x int);", 1, "U+FEFF (ZERO WIDTH NO-BREAK SPACE)"),
        ("CREATE TABLE a\u00a0(x int);", 1, "U+00A0 (NO-BREAK SPACE)"),
        ("CREATE TABLE a (x\ufe0f int);", 1, "U+FE0F (VARIATION SELECTOR-16)"),
        ("CREATE TABLE a (\u3164 int);", 1, "U+3164 (HANGUL FILLER)"),
        ("DO $$\nBEGIN\n  DROP TABLE a\u2060;\nEND $$;", 3, "U+2060 (WORD JOINER)"),
        ("SELECT 1; -- \u200b\nSELECT a\u202eb;", 2, "U+202E (RIGHT-TO-LEFT OVERRIDE)"),
    ],
)
def test_an_unseen_character_in_a_name_is_refused_with_its_line_and_its_number(tmp_path: Path, text: str, line: int, what: str) -> None:
    with pytest.raises(UsageError) as raised:
        journal.read(folder(tmp_path, text))
    assert raised.value.cause.startswith(f"0000_a.sql:{line} has {what} outside of strings")


@pytest.mark.parametrize(
    "text",
    [
        'CREATE TABLE größe (ñ int, "žluťoučký kůň" int, 表 int);',
        "INSERT INTO a VALUES ('👩\u200d💻\ufe0f', $$it is '\u200b'$$);",
        "-- \u200b\n/* \u200b */ SELECT 1;",
    ],
)
def test_letters_of_any_language_and_what_stands_in_strings_and_comments_pass(tmp_path: Path, text: str) -> None:
    assert journal.read(folder(tmp_path, text))[0].sql == text


def test_a_statement_that_is_too_deep_for_squawk_is_named_with_what_to_do() -> None:
    deep = f"SELECT {'(' * 40_000}1{')' * 40_000};"
    with pytest.raises(UsageError) as raised:
        lint([Migration(0, "0000_a", 1, "SELECT (1);"), Migration(1, "0001_b", 2, deep)])
    assert raised.value.cause == "0001_b.sql: squawk cannot read it, as 40000 parentheses are nested in one another"
    assert raised.value.remedy == "Write the statement with fewer nested parentheses."


def test_parentheses_in_strings_and_comments_are_not_nested() -> None:
    assert nesting("SELECT ((1), ')((((' /* ((( */, \"((\") -- ((((\n + (2)") == 2


def test_a_call_is_read_with_its_function_alone_and_one_that_calls_itself_ends() -> None:
    class ByName(dict[str, list[tuple[Word, ...]]]):
        """Functions that are not gone through one by one."""

        def _gone_through(self) -> NoReturn:
            raise AssertionError

        items = values = keys = __iter__ = _gone_through

    world = World(functions=ByName())
    bodies = {"f": "DELETE FROM a; SELECT g();", "g": "SELECT f(); SELECT g();"}
    for name, body in bodies.items():
        assert read(f"CREATE FUNCTION {name}() RETURNS void LANGUAGE sql AS '{body}'", 1, world) == ()
    assert {(one.rule, one.line, one.inner) for one in read("SELECT g()", 7, world)} == {("moves-rows", 7, True)}


def test_a_verdict_is_kept_under_all_of_the_code_that_judges(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: set[Path] = set()
    read_bytes = Path.read_bytes

    def noted(path: Path) -> bytes:
        asked.add(path)
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", noted)
    verdicts._judges.__wrapped__()
    room = Path(verdicts.__file__).parent
    assert {"reading/statement.py", "weigh.py"} <= {str(path.relative_to(room)) for path in asked if path.is_relative_to(room)}
    assert {*room.rglob("*.py")} <= asked

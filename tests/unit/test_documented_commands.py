"""Each command that a document or a message names exists, with its flags; messages write `invoke`, and never `uv run invoke`."""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.unit.command_line import arguments

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md")))
MESSAGES = (ROOT / "tasks.py", ROOT / "noxfile.py", *sorted((ROOT / "ops").rglob("*.py")))
FLAGS: Mapping[str, set[str]] = {
    name: {f"--{each.replace('_', '-')}" for argument in found for each in argument.names if len(each) > 1}
    for verb, found in arguments().items()
    for name in (verb, *(["migrate"] if verb == "migrate.migrate" else []))
}
CORE = {"--list", "--help", "-l", "-h"}  # Invoke's own
QUOTED = re.compile(r"`([^`\n]+)`")
CALLED = re.compile(r"(?:^|[\s(\"])(?:uv run )?invoke +([^`|&;#)]*)")
PLACEHOLDER = re.compile(r"[A-Z_]+|X|…|\.\.\.")


def commands(text: str) -> Iterator[str]:
    """The command lines of a text: in backticks, or after `$ ` in a block."""
    yield from (found[1] for found in QUOTED.finditer(text))
    yield from (found[1] for found in re.finditer(r"^\$ (.+)$", text, re.MULTILINE))


def wrong(command: str) -> Iterator[str]:
    """What is wrong with the calls of `invoke` in a command line, and with a verb that is named without it."""
    command = re.sub(r"\{[^{}]*\}", "X", command)  # what an f-string fills in
    first = command.split(maxsplit=1)[0] if command.split() else ""
    calls = [found[1] for found in CALLED.finditer(command)] or ([command] if first in FLAGS and " --" in command else [])
    for call in calls:
        words = call.split()
        if not words or PLACEHOLDER.fullmatch(words[0]) or words[0].rstrip("=…") in CORE:
            words = words[1:2]  # `--help VERB`
        if not words or PLACEHOLDER.fullmatch(words[0]) or words[0].startswith(("-", "[", "X")):
            continue
        verb, flags = words[0].rstrip(".,:"), [word.split("=")[0] for word in words[1:] if word.startswith("--")]
        if verb not in FLAGS:
            yield f"there is no verb {verb}: {command}"
            continue
        yield from (f"{verb} has no flag {flag}: {command}" for flag in flags if flag.strip("].,X") not in FLAGS[verb])


@pytest.mark.parametrize("file", DOCUMENTS, ids=lambda file: str(file.relative_to(ROOT)))
def test_each_command_of_a_document_exists_with_its_flags(file: Path) -> None:
    assert [said for command in commands(file.read_text(encoding="utf-8")) for said in wrong(command)] == []


def test_each_command_of_a_message_exists_with_its_flags() -> None:
    found = [f"{file.relative_to(ROOT)}: {said}" for file in MESSAGES for command in commands(file.read_text()) for said in wrong(command)]
    assert found == []


def test_a_command_that_does_not_exist_is_found() -> None:
    assert [*wrong("invoke deploi --env staging")] == ["there is no verb deploi: invoke deploi --env staging"]
    assert [*wrong("uv run invoke deploy --envv staging")] == ["deploy has no flag --envv: uv run invoke deploy --envv staging"]
    assert [*wrong("down --volume")] == ["down has no flag --volume: down --volume"]
    assert [*wrong("invoke --help migrate.check")] == [*wrong("invoke X --env {env}")] == [*wrong("docker down --volume")] == []


def test_no_message_says_uv_run_invoke_but_the_one_that_explains_it() -> None:
    saying = [str(file.relative_to(ROOT)) for file in MESSAGES if re.search(r"uv run (invoke|nox)", file.read_text())]
    assert saying == ["ops/console/usage.py"]


def test_the_readme_names_each_verb() -> None:
    tour = (ROOT / "README.md").read_text(encoding="utf-8").partition("## A tour of the verbs")[2].partition("\n## ")[0]
    assert [verb for verb in FLAGS if verb != "migrate.migrate" and not re.search(rf"`{re.escape(verb)}\b", tour)] == []


def sessions() -> set[str]:
    tree = ast.parse((ROOT / "noxfile.py").read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.decorator_list}


def test_each_session_that_is_named_exists() -> None:
    known = sessions()
    assert len(known) > 10
    named = [
        (file.name, name)
        for file in (*DOCUMENTS, *MESSAGES)
        for found in re.finditer(r"nox (?:-s|--session) \"?([a-z_]\w+)", file.read_text(encoding="utf-8"))
        if (name := found[1]) not in known
    ]
    assert named == []

"""A stack is one file: whatever needs to know of it finds it by its name."""

from dataclasses import replace
from pathlib import Path

import pytest

from ops import catalog, stacks
from ops.errors import UsageError
from ops.local import builds, composefile
from ops.local.state import State

RUST = """
from ops.command import Command
from ops.stacks.model import Built, StackKind, Recipe

def _recipe(place):
    program = place.build / place.service.name
    return Recipe((Command(("sh", "-c", f"echo made > {program}"), "building"),), Built((str(program),), place.folder), program, ())

STACK = StackKind(_recipe, health=("/server", "--is-well"))
"""


@pytest.fixture
def rust(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> catalog.Service:
    """A service of a stack that the checkout does not have: a file and an entry."""
    (tmp_path / "rust.py").write_text(RUST)
    monkeypatch.setattr(stacks, "__path__", [*stacks.__path__, str(tmp_path)])
    service = catalog.load().services["memory-service"]
    return replace(service, name="rusty", stack=replace(service.stack, name="rust"))


def test_every_stack_of_the_catalogue_has_a_file_and_every_file_a_stack() -> None:
    assert stacks.names() == sorted(catalog.load().stacks)


def test_a_stack_from_elsewhere_is_one_file(rust: catalog.Service, tmp_path: Path) -> None:
    loaded = replace(catalog.load(), services={"rusty": rust})
    home = State(tmp_path / "state")
    made = builds.recipe(loaded, home, rust)
    assert made.built.argv == (str(home.build / "rusty"),)
    document = composefile.document(loaded, home, dict.fromkeys(loaded.images, "image"))
    check = document["services"]["rusty"]["healthcheck"]["test"]  # type: ignore[index]
    assert check == ["CMD", "/server", "--is-well", rust.ready]


def test_a_stack_without_a_file_is_named_with_where_it_belongs() -> None:
    with pytest.raises(UsageError, match=r"there is no ops/stacks/cobol\.py \(there is go, nextjs, node, python\)"):
        stacks.kind_of("cobol")

"""The reference page and the editors' schema have one source, the types that read the catalogue, and leave no field out."""

from collections.abc import Iterator
from dataclasses import Field, fields, is_dataclass
from typing import Any, get_type_hints

import pytest
import yaml

import tasks
from ops.catalog import document
from ops.catalog.decode import Decoder, camel
from ops.catalog.entries import Entries
from ops.catalog.reference import page
from ops.catalog.schema import schema

RECORDS = [kind for kind in vars(document).values() if isinstance(kind, type) and is_dataclass(kind)]
FIELDS = [(kind, field) for kind in RECORDS for field in fields(kind)]
NAMES = [f"{kind.__name__}.{field.name}" for kind, field in FIELDS]


def properties(found: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Every property of a JSON Schema, with where it stands."""
    if isinstance(found, dict):
        for name, one in found.get("properties", {}).items():
            yield f"{place}.{name}", one
        for key, inner in found.items():
            names = inner.items() if key == "properties" else [(key, inner)]
            for name, one in names:
                yield from properties(one, f"{place}.{name}")
    elif isinstance(found, list):
        for one in found:
            yield from properties(one, place)


def test_the_editors_schema_describes_every_field() -> None:
    everything = list(properties(schema()))
    assert len(everything) > len(FIELDS)
    assert [place for place, one in everything if not str(one.get("description", "")).strip()] == []


def test_every_section_says_what_it_is_about() -> None:
    assert len(RECORDS) > 10
    assert [kind.__name__ for kind in RECORDS if (kind.__doc__ or "").startswith(f"{kind.__name__}(")] == []


@pytest.mark.parametrize(("kind", "field"), FIELDS, ids=NAMES)
def test_the_example_of_a_field_is_one_that_the_catalogue_takes(kind: type, field: "Field[Any]") -> None:
    example = field.metadata["example"]
    if example is None:  # an entry with a section of its own
        assert kind is document.Document and "Entry" in str(get_type_hints(kind)[field.name])
        return
    entries = Entries()
    node = yaml.compose(yaml.safe_dump(example))
    assert node is not None
    Decoder(entries).decode(node, get_type_hints(kind)[field.name], (camel(field.name),), field.metadata)
    assert entries.problems == []


@pytest.mark.parametrize(("kind", "field"), FIELDS, ids=NAMES)
def test_the_verbs_that_read_a_field_are_there(kind: type, field: "Field[Any]") -> None:
    said = field.metadata["verbs"] or kind.VERBS  # type: ignore[attr-defined]
    known = {*tasks.namespace.task_names, "migrate", "nox", "none", "every verb", "every verb with --env"}
    assert said and {word.strip() for word in said.split(",")} <= known


def test_the_page_has_a_row_for_every_field() -> None:
    rows = [line for line in page().splitlines() if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows].count("dockerfile") == 3
    assert len(rows) == len(FIELDS)
    assert all(row.count(" | ") == 5 for row in rows)

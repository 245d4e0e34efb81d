"""The build system reads a variable's text as every service does (packages/contract)."""

import json
from pathlib import Path
from typing import Any

import pytest

from ops.catalog import values

VECTORS = json.loads((Path(__file__).parents[2] / "packages/contract/vectors.json").read_text("utf-8"))["values"]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: f"{vector['type']} {vector['given']!r}")
def test_a_value_is_read_as_by_every_reader(vector: dict[str, Any]) -> None:
    kind, text = vector["type"], vector["given"]
    if not text or (kind == "list" and not values.items(text)):
        return  # what is missing is for the readers that know what is required
    found = values.problem(kind, text, vector.get("values", ()), vector.get("minLength"))
    assert found == vector.get("problem", "")
    if kind == "duration":
        assert values.seconds(text) == vector.get("reads")
    if kind == "list":
        assert values.items(text) == vector["reads"]

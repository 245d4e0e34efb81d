"""The build system reads a variable's text as every service does (packages/contract)."""

import json
from pathlib import Path
from typing import Any

import pytest

from ops.catalog import values

DOCUMENT = json.loads((Path(__file__).parents[2] / "packages/contract/vectors.json").read_text("utf-8"))
VECTORS, LIMITS = DOCUMENT["values"], DOCUMENT["limits"]


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


# Each reader compares its own limits with these; what one has beside them (the way to a service, a pool) its own tests add up.
@pytest.mark.parametrize(
    ("outer", "inner"),
    [
        ("pageMs", ("gatewayMs", "optionalMs")),  # the gateway counts in a store before it asks a service
        ("gatewayMs", ("requestMs",)),
        ("requestMs", ("storeMs", "optionalMs")),
        ("storeMs", ("silenceMs",)),
        ("pageIdleMs", ("gatewayIdleMs",)),
        ("gatewayIdleMs", ("heartbeatMs", "heartbeatMs")),  # one that is late or lost ends no stream
    ],
)
def test_limits_decrease_inwards(outer: str, inner: tuple[str, ...]) -> None:
    assert sum(LIMITS[name] for name in inner) < LIMITS[outer]


def test_a_silent_store_costs_no_more_than_two_waits_for_it() -> None:
    assert 2 * LIMITS["silenceMs"] <= LIMITS["storeMs"]  # for a connection, and for an answer
    assert LIMITS["readinessMs"] <= LIMITS["silenceMs"]

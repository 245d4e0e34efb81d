"""contract.json as values: which variables a service reads, derived from the platform's catalogue."""

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Variable:
    """One row of the contract."""

    name: str
    type: str  # string, url, int, port, duration, bool, list or enum
    required: bool
    default: str | None
    secret: bool
    min_length: int | None
    values: tuple[str, ...]
    description: str


@dataclass(frozen=True, slots=True)
class Contract:
    """The service's name, its own port, and its variables."""

    service: str
    port: int
    variables: tuple[Variable, ...]


def load(path: Path) -> Contract:
    """Read a contract.json."""
    document = json.loads(path.read_text(encoding="utf-8"))
    return Contract(
        service=document["service"],
        port=document["port"],
        variables=tuple(
            Variable(
                name=row["name"],
                type=row["type"],
                required=row["required"],
                default=row["default"],
                secret=row["secret"],
                min_length=row["minLength"],
                values=tuple(row["values"]),
                description=row["description"],
            )
            for row in document["variables"]
        ),
    )

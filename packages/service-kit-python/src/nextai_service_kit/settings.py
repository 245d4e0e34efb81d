"""The environment of a service, checked against its contract."""

import re
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from nextai_service_kit.contract import Contract, Variable

_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"([1-9][0-9]*)(ms|s|m|h|d)")


class InvalidEnvironment(Exception):
    """Variables are missing or wrong. Its text is the one line that a person reads; it holds no values, since they may be secrets."""

    def __init__(self, service: str, problems: list[str]) -> None:
        super().__init__(f"{service}: cannot start: {'; '.join(problems)}")
        self.problems = problems


class Settings:
    """The checked values of a service's variables. Printing it shows none."""

    __slots__ = ("_values", "contract")

    def __init__(self, contract: Contract, values: Mapping[str, str]) -> None:
        self.contract = contract
        self._values = dict(values)

    def text(self, name: str) -> str:
        """A string, url or enum; empty when the variable is not required and not set."""
        return self._values[name]

    def number(self, name: str) -> int:
        """An int or a port."""
        return int(self._values[name])

    def items(self, name: str) -> tuple[str, ...]:
        """A comma-separated list, without empty items."""
        return tuple(item for item in (part.strip() for part in self._values[name].split(",")) if item)

    def seconds(self, name: str) -> float:
        """A duration such as 15m or 7d, in seconds."""
        match = _DURATION.fullmatch(self._values[name])
        if match is None:
            raise ValueError(f"{name} is not a duration")
        return int(match[1]) * _SECONDS[match[2]]


def read(contract: Contract, environment: Mapping[str, str]) -> Settings:
    """Take every variable from the environment, or its default; an empty value counts as missing.

    Raises `InvalidEnvironment`, which names all that is missing or wrong.
    """
    values: dict[str, str] = {}
    problems: list[str] = []
    for variable in contract.variables:
        value = environment.get(variable.name, "") or variable.default or ""
        problem = _problem(variable, value)
        if problem:
            problems.append(f"{variable.name} {problem}")
        values[variable.name] = value
    if problems:
        raise InvalidEnvironment(contract.service, problems)
    return Settings(contract, values)


def _problem(variable: Variable, value: str) -> str | None:
    if not value:
        return f"is required ({variable.description})" if variable.required else None
    if variable.min_length is not None and len(value) < variable.min_length:
        return f"must have {variable.min_length} characters or more"
    if variable.type == "enum" and value not in variable.values:
        return f"must be one of {', '.join(variable.values)}"
    check = _CHECKS.get(variable.type)
    return None if check is None or check[0](value) else check[1]


def _url(value: str) -> bool:
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return bool(parts.scheme) and "://" in value


_CHECKS: Mapping[str, tuple[Callable[[str], bool], str]] = {
    "int": (lambda value: re.fullmatch(r"-?[0-9]+", value) is not None, "must be a whole number"),
    "port": (
        lambda value: re.fullmatch(r"[0-9]{1,5}", value) is not None and 1 <= int(value) <= 65535,
        "must be a port number, 1 to 65535",
    ),
    "url": (_url, "must be a URL"),
    "duration": (lambda value: _DURATION.fullmatch(value) is not None, "must be a duration such as 15m or 7d"),
}

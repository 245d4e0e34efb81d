"""The environment of a service, checked against its contract."""

import re
from collections.abc import Callable, Mapping

from nextai_service_kit.contract import Contract, Variable

# What the types accept is one specification, with examples that every reader runs: packages/contract/README.md.
_MILLISECONDS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_LONGEST = 36_500 * 86_400_000  # milliseconds
_DURATION = re.compile(r"([0-9]{1,9}(ms|s|m|h|d|w))+")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://(?:[^\s/?#@]*@)?(?:[^\s/?#@:\[\]]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?(?:[/?#]\S*)?")


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
        return _items(self._values[name])

    def flag(self, name: str) -> bool:
        """A bool."""
        return self._values[name] == "true"

    def seconds(self, name: str) -> int:
        """A duration such as 15m or 7d, in whole seconds."""
        found = _seconds(self._values[name])
        if found is None:
            raise ValueError(f"{name} is not a duration")
        return found


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
    if not value or (variable.type == "list" and not _items(value)):
        return f"is required ({variable.description})" if variable.required else None
    if variable.min_length is not None and len(value) < variable.min_length:
        return f"must have {variable.min_length} characters or more"
    if variable.type == "enum" and value not in variable.values:
        return f"must be one of {', '.join(variable.values)}"
    check = _CHECKS.get(variable.type)
    return None if check is None or check[0](value) else check[1]


def _items(text: str) -> tuple[str, ...]:
    return tuple(item for item in (part.strip(" \t") for part in text.split(",")) if item)


def _seconds(text: str) -> int | None:
    if not _DURATION.fullmatch(text):
        return None
    total = sum(int(amount) * _MILLISECONDS[unit] for amount, unit in re.findall(r"([0-9]+)(ms|s|m|h|d|w)", text))
    return total // 1000 if 1000 <= total <= _LONGEST else None


def _is_port(text: str) -> bool:
    return re.fullmatch(r"[0-9]{1,5}", text) is not None and int(text) <= 65535


def _is_url(text: str) -> bool:
    match = _URL.fullmatch(text)
    return match is not None and (match[1] is None or _is_port(match[1]))


_CHECKS: Mapping[str, tuple[Callable[[str], bool], str]] = {
    "int": (lambda value: re.fullmatch(r"-?[0-9]{1,15}", value) is not None, "must be a whole number"),
    "port": (lambda value: _is_port(value) and int(value) >= 1, "must be a port number, 1 to 65535"),
    "url": (_is_url, "must be a URL"),
    "duration": (lambda value: _seconds(value) is not None, "must be a duration such as 15m, 12h or 7d"),
    "bool": (lambda value: value in ("true", "false"), "must be true or false"),
}

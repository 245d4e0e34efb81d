"""A package with one file for each kind of something, by the kind's name, whose constant says all that is known of it."""

from collections.abc import Collection
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules
from typing import Generic, TypeVar

from ops.errors import UsageError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Kinds(Generic[T]):
    """The kinds that a package has.

    `package` is its full name, `constant` what a kind's file defines, of the type `type`; `others` are files that are no kind.
    `what` and `entry` are words of an error: what a kind is, and whose name in platform.yaml may be wrong.
    """

    package: str
    constant: str
    type: type[T]
    what: str
    entry: str
    others: Collection[str]

    def names(self) -> list[str]:
        """The kinds that there is a file for."""
        found = iter_modules(import_module(self.package).__path__)
        return sorted(module.name for module in found if module.name not in self.others)

    def of(self, name: str) -> T:
        """What is known of a kind. Raises `UsageError` where it has no file."""
        if name not in self.names():
            cause = f"there is no {self.package.replace('.', '/')}/{name}.py (there is {', '.join(self.names())})"
            remedy = f"Add the file, or correct the {self.entry}'s name in platform.yaml."
            raise UsageError(f"looking for the {self.what} {name}", cause, remedy)
        found = getattr(import_module(f"{self.package}.{name}"), self.constant)
        assert isinstance(found, self.type)
        return found

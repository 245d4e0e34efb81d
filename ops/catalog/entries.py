"""What stands in the catalogue, by its path, and the mistakes in it: what is wrong is noted once and left out of every later judgement."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

Path = tuple[str, ...]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """A mistake in the catalogue: 1-based line, where in the document, what was expected."""

    line: int
    where: str
    what: str


class Entries:
    """What stands in the document and where, whether or not the rest of it can be read.

    `lines` has every entry that is there, and every one that ought to be; `values` the well-formed scalars and lists; `keys` the keys
    of every mapping; `unreadable` the mappings of which a key is wrong: it may be any of the keys that they seem to lack.
    """

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.lines: dict[Path, int] = {}
        self.values: dict[Path, object] = {}
        self.keys: dict[Path, tuple[str, ...]] = {}
        self.unreadable: set[Path] = set()
        self._shelves: dict[tuple[str, int], list[Path]] = {}  # the paths of `values`, by section and depth

    def note(self, path: Path, value: object) -> object:
        """Note a well-formed value, and return it."""
        self.values[path] = value
        self._shelves.setdefault((path[0], len(path)), []).append(path)
        return value

    def problem(self, path: Path, what: str, line: int | None = None) -> None:
        """Note a mistake at `path`, on the line where that entry (or its nearest known parent) begins."""
        while line is None and path not in self.lines and len(path) > 1:
            path, what = path[:-1], f"{path[-1]}: {what}"
        self.problems.append(Problem(line or self.lines.get(path, 1), ".".join(path), what))

    def each(self, pattern: str, kind: type[T]) -> Iterator[tuple[Path, T]]:
        """Path and value of the well-formed entries that `pattern` means, in the order of the file: `services.*.needs.*`."""
        parts = pattern.split(".")
        fixed = [(place, part) for place, part in enumerate(parts) if place and part != "*"]
        for path in self._shelves.get((parts[0], len(parts)), ()):
            if all(path[place] == part for place, part in fixed) and isinstance(value := self.values[path], kind):
                yield path, value

    def absent(self, path: Path) -> bool:
        """Whether nothing stands at `path` for certain: False also where a mistake around it leaves that open."""
        if not path or path in self.lines:
            return False
        parent = path[:-1]
        return (parent in self.keys and parent not in self.unreadable) or self.absent(parent)

    def get(self, path: Path, default: T) -> T | None:
        """The value at `path`, the default where it is absent, and None where it is wrong."""
        value = self.values.get(path)
        if isinstance(value, type(default)):
            return value
        return default if self.absent(path) else None

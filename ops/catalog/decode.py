"""YAML nodes into dataclasses, noting every mistake with its line instead of stopping at the first."""

import re
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache

import yaml

from ops.catalog.entries import Entries, Path
from ops.catalog.forms import FORMS
from ops.guess import did_you_mean


class Decoder:
    """Reads nodes into the types of `document`, and notes in `entries` what stands where."""

    def __init__(self, entries: Entries) -> None:
        self.entries = entries

    def decode(self, node: yaml.Node, kind: object, path: Path, constraints: Mapping[str, object]) -> object:
        """The value of a node as `kind`, or None where the node is wrong (the problem is noted)."""
        self.entries.lines[path] = node.start_mark.line + 1
        origin = typing.get_origin(kind)
        if origin in (typing.Union, types.UnionType):
            return self._union(node, kind, path, constraints)
        if origin is typing.Literal:
            return self._literal(node, typing.get_args(kind), path)
        if origin is tuple:
            return self._sequence(node, typing.get_args(kind)[0], path, constraints)
        if origin is Mapping:
            return self._mapping(node, typing.get_args(kind)[1], path, constraints)
        if isinstance(kind, type) and is_dataclass(kind):
            return self._record(node, kind, path)
        return self._scalar(node, kind, path, constraints)

    def _union(self, node: yaml.Node, kind: object, path: Path, constraints: Mapping[str, object]) -> object:
        options = [option for option in typing.get_args(kind) if option is not type(None)]
        sequence = isinstance(node, yaml.SequenceNode)
        chosen = next((o for o in options if (typing.get_origin(o) is tuple) == sequence), options[0])
        return self.decode(node, chosen, path, constraints)

    def _literal(self, node: yaml.Node, options: tuple[str, ...], path: Path) -> object:
        if isinstance(node, yaml.ScalarNode) and node.value in options:
            return self.entries.note(path, node.value)
        meant = did_you_mean(_text(node).strip("'"), options)
        self.entries.problem(path, f"expected one of {', '.join(options)}{meant}, not {_text(node)}")
        return None

    def _sequence(self, node: yaml.Node, kind: object, path: Path, constraints: Mapping[str, object]) -> object:
        if not isinstance(node, yaml.SequenceNode):
            self.entries.problem(path, f"expected a list, not {_text(node)}")
            return ()
        items = tuple(self.decode(item, kind, (*path, str(index)), constraints) for index, item in enumerate(node.value))
        return items if None in items else self.entries.note(path, items)

    def _entries(self, node: yaml.Node, path: Path) -> typing.Iterator[tuple[str, yaml.Node, int]]:
        if not isinstance(node, yaml.MappingNode):
            self.entries.problem(path, f"expected a mapping, not {_text(node)}")
            return
        seen: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                self.entries.problem(path, f"expected a name in front of the colon, not {_text(key)}", line)
                self.entries.unreadable.add(path)
                continue
            name = str(key.value)
            if name in seen:
                self.entries.problem(path, f"{name} is here twice, first on line {seen[name]}", line)
                continue
            seen[name] = line
            yield name, value, line
        self.entries.keys[path] = tuple(seen)

    def _mapping(self, node: yaml.Node, kind: object, path: Path, constraints: Mapping[str, object]) -> object:
        pattern = str(constraints.get("names", ".*"))
        each = {key: value for key, value in constraints.items() if key != "names"}
        found = {}
        for name, value, line in self._entries(node, path):
            if not (re.match(pattern, name) and name.isprintable()):
                self.entries.problem((*path, name), f"expected {FORMS[pattern]}", line)
                self.entries.unreadable.add(path)
            found[name] = self.decode(value, kind, (*path, name), each)
            self.entries.lines[(*path, name)] = line
        return found

    def _record(self, node: yaml.Node, kind: type, path: Path) -> object:
        known, hints = _fields(kind)
        given: dict[str, object] = {}
        count = len(self.entries.problems)
        for key, value, line in self._entries(node, path):
            if key not in known:
                self.entries.problem((*path, key), f"unknown key{did_you_mean(key, known)}; expected one of {', '.join(known)}", line)
                self.entries.unreadable.add(path)
                continue
            field = known[key]
            given[field.name] = self.decode(value, hints[field.name], (*path, key), field.metadata)
        missing = [key for key, f in known.items() if f.name not in given and f.default is MISSING and f.default_factory is MISSING]
        if isinstance(node, yaml.MappingNode):
            for key in missing:
                self.entries.problem(path, f"{key} is missing: {known[key].metadata['description']}")
                self.entries.lines[(*path, key)] = self.entries.lines[path]
        return kind(**given) if not missing and len(self.entries.problems) == count else None

    def _scalar(self, node: yaml.Node, kind: object, path: Path, constraints: Mapping[str, object]) -> object:
        value: object = None
        tag = node.tag.rpartition(":")[2]
        if not isinstance(node, yaml.ScalarNode):
            self.entries.problem(path, f"expected {_NAMES[kind]}, not {_text(node)}")
            return None
        if kind is str and tag == "str":
            value = node.value
        elif kind is int and tag == "int" and _WHOLE.fullmatch(node.value):
            value = int(node.value)
        elif kind is bool and tag == "bool" and node.value in ("true", "false"):
            value = node.value == "true"
        else:
            hint = " (put it in quotes)" if kind is str and tag in ("int", "bool", "float") else ""
            self.entries.problem(path, f"expected {_NAMES[kind]}, not {_text(node)}{hint}")
            return None
        return self.entries.note(path, value) if self._fits(value, path, constraints) else None

    def _fits(self, value: object, path: Path, constraints: Mapping[str, object]) -> bool:
        pattern, low, high = (constraints.get(k) for k in ("pattern", "minimum", "maximum"))
        if isinstance(pattern, str) and isinstance(value, str) and not (re.search(pattern, value) and value.isprintable()):
            self.entries.problem(path, f"expected {FORMS[pattern]}, not {value!r} ({constraints['description']})")
            return False
        if isinstance(value, int) and ((isinstance(low, int) and value < low) or (isinstance(high, int) and value > high)):
            self.entries.problem(path, f"expected a number from {low}{f' to {high}' if high else ''}, not {value}")
            return False
        return True


_WHOLE = re.compile("-?(0|[1-9][0-9]*)")  # YAML takes 010 for eight
_NAMES: dict[object, str] = {str: "text", int: "a whole number", bool: "true or false"}


@cache
def _fields(kind: type) -> tuple[dict[str, "Field[object]"], dict[str, object]]:
    """The fields of a dataclass by their key in the document, and their types."""
    return {camel(f.name): f for f in fields(kind)}, typing.get_type_hints(kind)


def camel(name: str) -> str:
    """`local_port` is `localPort` in the document."""
    head, *tail = name.split("_")
    return head + "".join(word.capitalize() for word in tail)


def _text(node: yaml.Node) -> str:
    if isinstance(node, yaml.ScalarNode):
        return repr(node.value) if node.value else "nothing"
    return "a list" if isinstance(node, yaml.SequenceNode) else "a mapping"

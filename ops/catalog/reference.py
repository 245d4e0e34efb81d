"""The reference page of `platform.yaml`, docs/platform-yaml.md: derived from the same types that read it."""

import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass

import yaml

from ops.catalog.decode import camel
from ops.catalog.document import Document
from ops.catalog.forms import FORMS

_BEGIN = """\
<!-- Written by `invoke sync` from the types in ops/catalog/document.py: change those. -->

# platform.yaml

Every field of the catalogue. Every verb reports a mistake with its line; editors find the same mistakes with `platform.schema.json`.
NAME stands for a name that you choose. A field without a default has to be there.
"""
_HEAD = "| field | type | default | meaning | example | read by |\n|---|---|---|---|---|---|\n"
_WORDS: Mapping[object, str] = {str: "text", int: "whole number", bool: "`true` or `false`"}


def page() -> str:
    """The whole page: a table for each kind of entry, in the order in which they are reached."""
    return _BEGIN + "".join(f"\n## {place}\n\n{_about(kind)}\n\n{_HEAD}{''.join(_rows(kind))}" for kind, place in _sections())


def _sections() -> Iterator[tuple[type, str]]:
    """Each kind of entry once, with the first place where it stands."""
    waiting: list[tuple[type, str]] = [(Document, "The whole file")]
    seen: set[type] = set()
    while waiting:
        kind, place = waiting.pop(0)
        if kind in seen:
            continue
        seen.add(kind)
        yield kind, place
        before = "" if kind is Document else f"{place}."
        inner = [found for f, hint in _fields(kind) for found in _entries(hint, f"{before}{camel(f.name)}")]
        waiting = [*inner, *waiting]


def _entries(hint: object, place: str) -> Iterator[tuple[type, str]]:
    if isinstance(hint, type) and is_dataclass(hint):
        yield hint, place
    origin = typing.get_origin(hint)
    more = ".NAME" if origin is Mapping else "[]" if origin is tuple else ""
    for argument in typing.get_args(hint):
        yield from _entries(argument, f"{place}{more}")


def _about(kind: type) -> str:
    return " ".join((kind.__doc__ or "").split())


def _rows(kind: type) -> Iterator[str]:
    for f, hint in _fields(kind):
        example = f.metadata["example"]
        cells = (
            f"`{camel(f.name)}`",
            _type(hint),
            _default(f),
            _meaning(f),
            "see below" if example is None else f"`{_yaml(example)}`",
            str(f.metadata["verbs"] or getattr(kind, "VERBS", "")),
        )
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _meaning(f: "Field[object]") -> str:
    low, high = f.metadata.get("minimum"), f.metadata.get("maximum")
    bounds = f"; {low} to {high}" if high is not None else f"; {low} or more" if low is not None else ""
    pattern = f.metadata.get("pattern")
    form = f" ({FORMS[str(pattern)]})" if pattern else ""
    return f"{f.metadata['description']}{bounds}{form}"


def _default(f: "Field[object]") -> str:
    if f.default is MISSING and f.default_factory is MISSING:
        return "**required**"
    value = f.default_factory() if f.default_factory is not MISSING else f.default
    return "none" if value in (None, (), {}) else f"`{_yaml(value)}`"


def _type(hint: object) -> str:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return ", or ".join(_type(argument) for argument in arguments if argument is not type(None))
    if origin is typing.Literal:
        return "one of " + ", ".join(f"`{argument}`" for argument in arguments)
    if origin is tuple:
        return f"list of {_type(arguments[0])}"
    if origin is Mapping:
        return f"name to {_type(arguments[1])}"
    return _WORDS.get(hint, "entry")


def _yaml(value: object) -> str:
    text: str = yaml.safe_dump(value, default_flow_style=True, width=1000, sort_keys=False, allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...").strip()


def _fields(kind: type) -> "list[tuple[Field[object], object]]":
    hints = typing.get_type_hints(kind)
    return [(f, hints[f.name]) for f in fields(kind)]

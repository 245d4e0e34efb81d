"""The JSON Schema of `platform.yaml`, for editors: derived from the same types that read it."""

import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass

from ops.catalog.decode import camel
from ops.catalog.document import Document

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, object]:
    """The whole schema, as the document that `invoke sync` writes to `platform.schema.json`."""
    return {"$schema": DIALECT, "title": "platform.yaml", **_of(Document, {})}


def _of(kind: object, metadata: Mapping[str, object]) -> dict[str, object]:
    described: dict[str, object] = {"description": metadata["description"]} if "description" in metadata else {}
    if metadata.get("example") is not None:
        described["examples"] = [metadata["example"]]
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        options = [_of(option, {**metadata, "description": "", "example": None}) for option in arguments if option is not type(None)]
        for option in options:
            option.pop("description", None)
        return {**described, **options[0]} if len(options) == 1 else {**described, "anyOf": options}
    if origin is typing.Literal:
        return {**described, "enum": list(arguments)}
    if origin is tuple:
        return {**described, "type": "array", "items": _of(arguments[0], _constraints(metadata))}
    if origin is Mapping:
        names = {"propertyNames": {"pattern": metadata["names"]}} if "names" in metadata else {}
        return {**described, "type": "object", **names, "additionalProperties": _of(arguments[1], _constraints(metadata))}
    if isinstance(kind, type) and is_dataclass(kind):
        return {**described, **_record(kind)}
    return {**described, "type": {str: "string", int: "integer", bool: "boolean"}[typing.cast(type, kind)], **_constraints(metadata)}


def _record(kind: type) -> dict[str, object]:
    hints = typing.get_type_hints(kind)
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [camel(f.name) for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING],
        "properties": {camel(f.name): _of(hints[f.name], f.metadata) for f in fields(kind)},
    }


def _constraints(metadata: Mapping[str, object]) -> dict[str, object]:
    return {key: metadata[key] for key in ("pattern", "minimum", "maximum") if key in metadata}

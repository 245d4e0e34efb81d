"""What went into each image last time, kept on this machine so that a miss can be explained."""

import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ops.console import counted
from ops.folders import cache
from ops.images.disk import shown as printable
from ops.images.model import Inputs, Planned

VERSION = 2  # a line with version and key, and a line with what went in


@dataclass(frozen=True, slots=True)
class Known:
    """The key that an image had, and what went into it, by facet and name."""

    key: str
    facets: Mapping[str, Mapping[str, object]]


def remember(root: Path, image: Planned) -> None:
    """Keep what went into an image that is there now. Nothing is written where the same is kept already."""
    file, head = place(root, f"{image.name}.json"), json.dumps([VERSION, image.key])
    try:
        with file.open(encoding="utf-8") as stream:
            if stream.readline() == head + "\n":
                return
    except (OSError, ValueError):
        pass  # none yet, or a spoilt one
    write_text(file, f"{head}\n{json.dumps(_facets(image.inputs), sort_keys=True)}\n")


def recall(root: Path, name: str) -> Known | None:
    """What went into an image last time; None when that is not known."""
    try:
        head, facets = (json.loads(line) for line in place(root, f"{name}.json").read_text(encoding="utf-8").splitlines())
        version, key = head
    except (OSError, ValueError, TypeError):
        return None
    if version != VERSION or not isinstance(facets, dict):
        return None
    return Known(str(key), {name: facet for name, facet in facets.items() if isinstance(facet, dict)})


def explain(known: Known | None, inputs: Inputs, key: str) -> tuple[str, ...]:
    """Why an image with these inputs is to be built, the most telling reason first."""
    if known is None:
        return (f"first build on this machine, of {counted(len(inputs.entries), 'file')}",)
    if known.key == key:
        return ("nothing changed since the last build; the image is not there",)
    now = _facets(inputs)
    facets = ("recipe", "platform", "bases", "arguments", "files")
    return tuple(line for facet in facets for line in _changes(facet, known.facets.get(facet, {}), now[facet])) or (
        "the way images are built changed",
    )


def write_json(file: Path, document: object) -> None:
    """Write a JSON file whole or not at all."""
    write_text(file, json.dumps(document, sort_keys=True))  # `dump` would write it piece by piece, in Python


def write_text(file: Path, text: str) -> None:
    """Write a file whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=file.parent, prefix=f".{file.name}-", delete=False, encoding="utf-8") as new:
        try:
            new.write(text)
            new.flush()
        except OSError:  # the disk is full: what is cut off stays for nobody
            Path(new.name).unlink(missing_ok=True)
            raise
    Path(new.name).replace(file)


def place(root: Path, name: str) -> Path:
    """Where something lies that is kept of a checkout. Raises `Failure` where there is no cache folder."""
    checkout = hashlib.sha256(str(root.resolve()).encode(errors="surrogateescape")).hexdigest()[:16]
    return cache() / "images" / checkout / name


def _facets(inputs: Inputs) -> dict[str, dict[str, object]]:
    return {
        "recipe": {inputs.dockerfile: hashlib.sha256(inputs.recipe.encode()).hexdigest()},
        "platform": {"platform": inputs.platform},
        "bases": {base.reference: base.digest for base in inputs.bases.values()},
        "arguments": dict(inputs.arguments),
        "files": {entry.path: [entry.mode, entry.content, entry.text is not None] for entry in inputs.entries},
    }


def _changes(facet: str, before: Mapping[str, object], after: Mapping[str, object]) -> Iterator[str]:
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        if old != new:
            yield _sentence(facet, name, old, new)


def _sentence(facet: str, name: str, old: object, new: object) -> str:
    shown = printable(name)
    if facet == "files" and isinstance(old, list) and isinstance(new, list):
        if old[1] == new[1]:
            return f"mode changed: {shown} ({old[0]} → {new[0]})"
        return f"changed: its part of {shown}" if new[2] else f"changed: {shown}"
    if facet in ("files", "recipe"):
        return f"{'new' if old is None else 'gone' if new is None else 'changed'}: {shown}"
    if facet == "bases":
        return f"base image {shown}: {_short(old)} → {_short(new)}"
    before, after = ("(unset)" if value is None else value for value in (old, new))
    return f"{'argument ' if facet == 'arguments' else ''}{shown}: {before} → {after}"


def _short(digest: object) -> str:
    return str(digest).removeprefix("sha256:")[:12] if digest else "(unused)"

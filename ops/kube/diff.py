"""What differs between two objects, field by field, without noise and without secrets."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ops.documents import Json
from ops.kube.objects import Object, same, table, text

MASK = "***"
# What the API server and the controllers write, and no manifest says.
_METADATA = ("managedFields", "resourceVersion", "uid", "creationTimestamp", "generation", "selfLink", "deletionTimestamp")
_ANNOTATIONS = (
    "deployment.kubernetes.io/revision",
    "kubectl.kubernetes.io/last-applied-configuration",
    "control-plane.alpha.kubernetes.io/leader",
)
_SHOWN = 160
_DIGEST = re.compile(r"(@sha256:[0-9a-f]{12})[0-9a-f]{52}")  # 12 digits tell two images apart


@dataclass(frozen=True, slots=True)
class Difference:
    """One field: its path, and its value before and after (None: it is not there)."""

    path: str
    before: Json
    after: Json

    def __str__(self) -> str:
        if self.before is None:
            return f"+ {self.path}: {_show(self.after)}"
        if self.after is None:
            return f"- {self.path}: {_show(self.before)}"
        return f"~ {self.path}: {_show(self.before)} → {_show(self.after)}"


def quiet(live: Object) -> Object:
    """An object without status and without what only the API server and controllers write."""
    metadata = {k: v for k, v in table(live, "metadata").items() if k not in _METADATA}
    metadata["annotations"] = {k: v for k, v in table(metadata, "annotations").items() if k not in _ANNOTATIONS}
    for name in ("annotations", "labels"):
        if not metadata.get(name):
            metadata.pop(name, None)
    return {k: v for k, v in live.items() if k != "status"} | {"metadata": metadata}


def masked(before: Object | None, after: Object | None) -> tuple[Object | None, Object | None]:
    """Both objects with the values of a Secret hidden; what differs stays visible as different."""
    if text(before or after, "kind") != "Secret":
        return before, after
    old, new = _values(before), _values(after)
    return _hide(before, dict.fromkeys(old, MASK)), _hide(
        after, {k: MASK if old.get(k, v) == v else f"{MASK} (changed)" for k, v in new.items()}
    )


def differences(before: Object | None, after: Object | None) -> tuple[Difference, ...]:
    """The fields in which two objects differ, in the order of the fields' paths."""
    return tuple(_walk("", before, after))


def _walk(path: str, before: Json, after: Json) -> Iterator[Difference]:
    if same(before, after):
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for name in sorted({*before, *after}):
            yield from _walk(_join(path, name), before.get(name), after.get(name))
        return
    if isinstance(before, list) and isinstance(after, list):
        old, new = by_name(before), by_name(after)
        if old is not None and new is not None:
            for name in dict.fromkeys([*old, *new]):
                yield from _walk(f"{path}[{name}]", old.get(name), new.get(name))
            yield from _order(path, old, new)
            return
    yield Difference(path, before, after)


def _order(path: str, old: Iterable[str], new: Iterable[str]) -> Iterator[Difference]:
    """Named things that are there before and after, in another order: `$(NAME)` reads the variables above it, and the containers that
    run first run one after the other."""
    old, new = list(old), list(new)
    before, after = [name for name in old if name in new], [name for name in new if name in old]
    if before != after:
        yield Difference(f"{path} (order)", ", ".join(before), ", ".join(after))


def _join(path: str, name: str) -> str:
    step = name if "." not in name and "/" not in name else f"[{name}]"
    return step if not path else f"{path}{step}" if step.startswith("[") else f"{path}.{step}"


def by_name(rows: list[Json]) -> dict[str, Json] | None:
    """A list of things that have names, by name; None when they have none, or not each its own."""
    named = {row["name"]: row for row in rows if isinstance(row, dict) and isinstance(row.get("name"), str)}
    return {str(k): v for k, v in named.items()} if len(named) == len(rows) else None


def _show(value: Json) -> str:
    words = value if isinstance(value, str) and value and "\n" not in value else json.dumps(value, ensure_ascii=False, sort_keys=True)
    words = _DIGEST.sub(r"\1…", words)
    return words if len(words) <= _SHOWN else f"{words[:_SHOWN]}…"


def _values(secret: Object | None) -> Object:
    return {**table(secret, "data"), **table(secret, "stringData")}


def _hide(secret: Object | None, data: dict[str, str]) -> Object | None:
    if secret is None:
        return None
    return {**{k: v for k, v in secret.items() if k not in ("data", "stringData")}, "data": {**data}}

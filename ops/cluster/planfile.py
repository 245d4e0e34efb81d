"""A plan as a document: what `invoke plan --out` writes and `invoke deploy --plan` reads."""

import json
from dataclasses import asdict
from typing import Final, get_args

from ops.cluster.plan import Origin, Plan, Unfinished
from ops.cluster.record import migrations_in
from ops.cluster.step import Action, Doing, Remembered, Step
from ops.errors import UsageError
from ops.kube.diff import Difference, masked
from ops.kube.objects import Key, Object, at, number, rows, table, text, texts
from ops.kube.order import Phase
from ops.manifests.render import fingerprint

VERSION: Final = 2


def to_document(plan: Plan) -> Object:
    """The plan as JSON, without the values of Secrets."""
    document: Object = json.loads(json.dumps(asdict(plan)))
    for row, step in zip(rows(document, "steps"), plan.steps, strict=True):
        row["phase"] = step.phase.name.lower()
        row["manifest"] = None if step.manifest is None else masked(None, step.manifest)[1]
    whole: Object = {"version": VERSION, "kind": "plan", **document}
    return {**whole, "fingerprint": fingerprint(whole)}


def from_document(document: Object) -> Plan:
    """A plan that `to_document` made. Raises `UsageError` for another version, for one that was edited, and for one whose Secrets change.

    What is applied is what was shown: a changed manifest would bring along the differences of the former one.
    """
    if document.get("version") != VERSION or document.get("kind") != "plan":
        raise UsageError("reading a plan", "it is not a plan of this version", "Make it again with `invoke plan`.")
    if document.get("fingerprint") != fingerprint({k: v for k, v in document.items() if k != "fingerprint"}):
        raise UsageError("reading a plan", "it was edited since it was made", "Make it again with `invoke plan`.")
    try:
        plan = _plan(document)
    except (KeyError, TypeError, ValueError) as error:
        cause = f"it is not as this version writes it: {error!r}"
        raise UsageError("reading a plan", cause, "Make it again with `invoke plan`.") from error
    if plan.hidden:
        cause = f"it changes {', '.join(map(str, plan.hidden))}, whose values are not in the file"
        raise UsageError("reading a plan", cause, "Run `invoke deploy` without a plan file.")
    return plan


def _plan(document: Object) -> Plan:
    return Plan(
        origin=_origin(table(document, "origin")),
        cluster=text(document, "cluster"),
        base=number(document, "base"),
        steps=tuple(_step(row) for row in rows(document, "steps")),
        problems=tuple(texts(document, "problems")),
        warnings=tuple(texts(document, "warnings")),
        left_out=tuple(_key(row) for row in rows(document, "left_out")),
        unfinished=_unfinished(found) if (found := table(document, "unfinished")) else None,
        last=number(document, "last"),
        unverified=document.get("unverified") is True,
        names=document.get("names") is True,
    )


def _origin(origin: Object) -> Origin:
    values = {k: v for k, v in origin.items() if k not in ("digests", "migrations", "earlier", "target")}
    return Origin(
        **values,  # type: ignore[arg-type]
        target=number(origin, "target"),
        digests={k: str(v) for k, v in table(origin, "digests").items()},
        migrations=migrations_in(origin, "migrations"),
        earlier=migrations_in(origin, "earlier"),
    )


def _unfinished(row: Object) -> Unfinished:
    return Unfinished(number(row, "record"), text(row, "who"), held=row.get("held") is True, same=row.get("same") is True)


def _step(row: Object) -> Step:
    before, manifest, remembered = at(row, "before"), at(row, "manifest"), table(row, "remembered")
    if text(row, "action") not in get_args(Action) or text(row, "doing") not in get_args(Doing):
        raise ValueError(f"there is no step {row.get('action')!r} {row.get('doing')!r}")
    return Step(
        key=_key(table(row, "key")),
        action=text(row, "action"),  # type: ignore[arg-type]
        phase=Phase[text(row, "phase").upper()],
        manifest=manifest if isinstance(manifest, dict) else None,
        before=before if isinstance(before, dict) else None,
        resource_version=text(row, "resource_version"),
        differences=tuple(Difference(text(d, "path"), d.get("before"), d.get("after")) for d in rows(row, "differences")),
        note=text(row, "note"),
        doing=text(row, "doing"),  # type: ignore[arg-type]
        force=row.get("force") is True,
        inherits=row.get("inherits") is True,
        remembered=Remembered(
            adopted=remembered.get("adopted") is True,
            mutated=tuple(texts(remembered, "mutated")),
            warned=tuple(texts(remembered, "warned")),
        ),
    )


def _key(row: Object) -> Key:
    return Key(text(row, "kind"), text(row, "namespace"), text(row, "name"), text(row, "group"))

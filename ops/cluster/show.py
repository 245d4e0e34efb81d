"""A plan, a history and a rollout in words."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from ops.cluster.plan import Origin, Plan, Step
from ops.cluster.record import Header

if TYPE_CHECKING:
    from ops.cluster.progress import Notice
    from ops.cluster.status import Row

_MARKS = {"create": "+", "change": "~", "replace": "±", "release": "↩", "delete": "-"}
_SHORT = 7


def plan_lines(plan: Plan, target: str) -> Iterator[str]:
    """The plan for people: a line an object, its differences below; then what forbids it, and the sum."""
    yield f"{plan.origin.kind} to {target}{_what(plan.origin)}"
    if plan.unfinished:
        left = f"record {plan.unfinished} by {plan.unfinished_who}"
        if plan.held:
            yield f"! {left} is under way: plan again when it has ended"
        else:
            yield f"! {left} never came to its end: this {plan.origin.kind} {'finishes it' if plan.finishes else 'takes its place'}"
    for step in plan.changes:
        yield from _step_lines(step)
    for key in plan.left_out:
        yield f"! {key}: the cluster does not know this kind; left out"
    for warning in plan.warnings:
        yield f"! {warning}"
    for problem in plan.problems:
        yield f"✗ {problem}"
    yield summary(plan)


def summary(plan: Plan) -> str:
    """How many objects are created, changed, deleted, and left as they are; or that it cannot be applied."""
    if plan.problems:
        return f"It is refused as it is: correct {'the line' if len(plan.problems) == 1 else 'each line'} with ✗."
    if plan.empty:
        return f"Nothing to do: {len(plan.steps)} objects are as they should be."
    if plan.names and not plan.changes:
        return f"Nothing to change: {len(plan.steps)} objects are as they should be. A record will name them {plan.origin.version}."
    counts = {action: sum(step.action == action for step in plan.steps) for action in (*_MARKS, "unchanged")}
    words = {action: f"to {action}" for action in _MARKS} | {"unchanged": "unchanged"}
    return ", ".join(f"{count} {words[action]}" for action, count in counts.items() if count)


def _what(origin: Origin) -> str:
    """The record that a plan goes back to, the commit and the version, as far as there are any."""
    known = [f"record {origin.target}"] if origin.target else []
    known += [f"commit {_shortened(origin.commit)}"] if origin.commit else []
    known += [f"version {origin.version}"] if origin.version else []
    return "".join(f", {word}" for word in known)


def _step_lines(step: Step) -> Iterator[str]:
    note = f"  ({step.note})" if step.note else ""
    yield f"{_MARKS[step.action]} {step.key}{note}"
    if step.action in ("change", "replace", "release"):
        for difference in step.differences:
            yield f"    {difference}"


def notice_line(notice: "Notice") -> str:
    """One line of a rollout."""
    return f"{notice.state:<9} {notice.key}{f': {notice.text}' if notice.text else ''}"


def history_rows(headers: Iterable[Header]) -> list[tuple[str, ...]]:
    """A row a record, the newest first."""
    return [
        (
            str(header.number),
            header.kind + (f" → {header.target}" if header.target else ""),
            header.outcome,
            header.started,
            _shortened(header.commit),
            header.version,
            header.who,
            header.cause.splitlines()[0] if header.cause else "",
        )
        for header in sorted(headers, key=lambda h: -h.number)
    ]


def _shortened(commit: str) -> str:
    """The commit, with its + where the checkout had changes that it has not."""
    return commit[:_SHORT] + ("+" if commit.endswith("+") else "")


def last_line(last: Header | None, unfinished: Header | None, held: bool) -> str:
    """What was deployed last, and what is under way (`held`: its deploy holds the lock) or was cut off."""
    if unfinished:
        how = "is under way" if held else "never came to its end"
        return f"record {unfinished.number} ({unfinished.kind} by {unfinished.who}) {how}"
    return f"record {last.number}, {last.kind} of {_shortened(last.commit)} by {last.who}, {last.started}" if last else "nothing deployed"


def status_rows(rows: "Iterable[Row]") -> list[tuple[str, ...]]:
    """A row a workload."""
    return [
        (
            row.kind,
            row.name,
            f"{row.ready}/{row.wanted}",
            str(row.restarts or ""),
            _age(row.age),
            ", ".join(_image(image) for image in row.images),
            row.why.splitlines()[0] if row.why else "",
        )
        for row in rows
    ]


def _image(reference: str) -> str:
    name, _, digest = reference.rpartition("/")[2].partition("@sha256:")
    return f"{name}@{digest[:12]}" if digest else name


def _age(seconds: int) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"

"""A plan, a history, a rollout and a status as lines for people."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

from ops.cluster.record import Header
from ops.console import counted

if TYPE_CHECKING:  # a status needs no plan
    from ops.cluster.plan import Origin, Plan
    from ops.cluster.status import EnvironmentStatus, Flaw, WorkloadRow
    from ops.cluster.step import Step
    from ops.kube.progress import Notice

_MARKS = {"create": "+", "change": "~", "replace": "±", "release": "↩", "delete": "-"}
_SHORT = 7


def plan_lines(plan: "Plan", target: str) -> Iterator[str]:
    """The plan for people: a line for each object with its differences below; then warnings, problems and the sum."""
    yield f"{plan.origin.kind} to {target}{_what(plan.origin)}"
    if plan.unfinished:
        left = f"record {plan.unfinished.record} by {plan.unfinished.who}"
        if plan.unfinished.held:
            yield f"! {left} is under way: plan again when it has ended"
        else:
            yield f"! {left} was cut off: this {plan.origin.kind} {'finishes it' if plan.unfinished.same else 'takes its place'}"
    for step in plan.changes:
        yield from _step_lines(step)
    for key in plan.left_out:
        yield f"! {key}: the cluster does not know this kind; left out"
    for warning in plan.warnings:
        yield f"! {warning}"
    for problem in plan.problems:
        yield f"✗ {problem}"
    yield summary(plan)


def summary(plan: "Plan") -> str:
    """How many objects are created, changed, deleted, and left as they are; or that it cannot be applied."""
    if plan.problems:
        return f"This plan is refused: correct {'the line' if len(plan.problems) == 1 else 'each line'} with ✗, then plan again."
    if plan.empty:
        return f"Nothing to do: {_as_wanted(plan)}."
    if plan.names and not plan.changes:
        return f"Nothing to change: {_as_wanted(plan)}. A new record will name version {plan.origin.version}."
    counts = {action: sum(step.action == action for step in plan.steps) for action in (*_MARKS, "unchanged")}
    words = {action: f"to {action}" for action in _MARKS} | {"unchanged": "unchanged"}
    return ", ".join(f"{count} {words[action]}" for action, count in counts.items() if count)


def _as_wanted(plan: "Plan") -> str:
    return f"{counted(len(plan.steps), 'object')} {'is as it' if len(plan.steps) == 1 else 'are as they'} should be"


def _what(origin: "Origin") -> str:
    """The record that a rollback goes to, the commit and the version, those of them that the plan has."""
    known = [f"record {origin.target}"] if origin.target else []
    known += [f"commit {_shortened(origin.commit)}"] if origin.commit else []
    known += [f"version {origin.version}"] if origin.version else []
    return "".join(f", {word}" for word in known)


def _step_lines(step: "Step") -> Iterator[str]:
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
    """The commit, shortened, with + at its end where the checkout had uncommitted changes."""
    return commit[:_SHORT] + ("+" if commit.endswith("+") else "")


def last_line(last: Header | None) -> str:
    """The last good record in words."""
    return f"record {last.number}, {last.kind} of {_shortened(last.commit)} by {last.who}, {last.started}" if last else "nothing deployed"


def status_lines(found: "EnvironmentStatus", flags: str) -> Iterator[str]:
    """What differs from the last good record, besides the workloads: a deploy that failed or never ended, missing and changed objects."""
    back = f"`invoke rollback {flags}` goes back"
    if found.unfinished and found.held:
        yield f"! {_named(found.unfinished)} is under way"
    elif found.unfinished:
        yield f"✗ {_named(found.unfinished)} was cut off: `invoke deploy {flags}` finishes it or takes its place, {back}"
    if found.failed:
        cause = found.failed.cause.partition("\n")[0]
        yield f"✗ {_named(found.failed)} failed, and was not rolled back: {cause}"
        yield f"  `invoke deploy {flags}` tries again, {back}"
    for flaw in found.missing:
        yield f"✗ {flaw.key}: {flaw.why}"
    for flaw in found.differs:
        yield f"~ {flaw.key}: {flaw.why}"
    if found.differs:
        yield f"`invoke plan {flags}` shows each difference; a deploy restores the fields that its manifests set."


def status_document(found: "EnvironmentStatus") -> dict[str, object]:
    """The status for machines."""

    def flaws(those: "Iterable[Flaw]") -> list[dict[str, object]]:
        return [{"object": {"kind": f.key.kind, "namespace": f.key.namespace, "name": f.key.name}, "why": f.why} for f in those]

    def header(one: Header | None) -> dict[str, object] | None:
        return asdict(one) if one else None

    return {
        "workloads": [asdict(row) for row in found.rows],
        "last": header(found.last),
        "unfinished": header(found.unfinished),
        "underWay": found.held,
        "failed": header(found.failed),
        "missing": flaws(found.missing),
        "differs": flaws(found.differs),
    }


def _named(header: Header) -> str:
    goal = f" → {header.target}" if header.target else ""
    return f"record {header.number} ({header.kind}{goal} by {header.who}, {header.started})"


def status_rows(rows: "Iterable[WorkloadRow]") -> list[tuple[str, ...]]:
    """A row a workload, and a row a job with a schedule: its last runs stand where the others say how many are ready."""
    return [
        (
            row.kind,
            row.name,
            row.runs or f"{row.ready}/{row.wanted}",
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

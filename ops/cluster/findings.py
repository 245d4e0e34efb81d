"""What speaks against a plan: problems, which prevent that it is applied, and warnings, which a person should know. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ops.cluster.decide import Decided
from ops.cluster.facts import ClusterFacts
from ops.cluster.record import ChangeKind
from ops.kube import byhand
from ops.kube.objects import Key, key_of
from ops.kube.readiness import steady


@dataclass(frozen=True, slots=True)
class About:
    """What findings are made from: the facts, the steps, and which objects a person has halted by hand (and why that counts)."""

    facts: ClusterFacts
    decided: Decided
    changing: frozenset[Key]
    halted: Mapping[Key, str]

    @property
    def stuck(self) -> frozenset[Key]:
        """What is halted and would be waited for. Nobody waits for the runs of a CronJob."""
        return frozenset(key for key in self.halted if key in self.changing and key.kind != "CronJob")


def about(facts: ClusterFacts, decided: Decided) -> About:
    """Look at facts and steps together."""
    changing = frozenset(step.key for step in decided.steps if step.action != "unchanged")
    halted = {s.key: why for s in facts.dry_runs if s.live and (why := byhand.halted(s.live, s.wanted))}
    return About(facts, decided, changing, halted)


def problems(this: About, kind: ChangeKind, *, rehearsal: bool) -> Iterator[str]:
    """Why the plan cannot be applied. On a rehearsal, a kind that the cluster does not know is no problem."""
    facts = this.facts
    yield from (f"{s.key}: {s.refusal}" for s in facts.dry_runs if s.refusal)
    yield from (f"{s.key}: {why}" for s in facts.dry_runs if s.live and (why := byhand.leaving(s.live)))
    yield from (f"{key}: {why}" for key, why in this.halted.items() if key in this.stuck)
    yield from _without_namespace(facts)
    yield from facts.missing
    yield from _missing(this, fatal=True)
    if kind == "deploy":  # what a record holds was checked by the catalogue of its time
        yield from facts.unset
    if not rehearsal:
        yield from (f"{key}: this cluster does not know the kind {key.kind}" for key in facts.unknown)


def warnings(this: About) -> Iterator[str]:
    """What prevents nothing, such as what was changed by hand and a deploy does not undo."""
    facts, steps = this.facts, this.decided.steps
    yield from (f"{key}: {why}" for key, why in this.halted.items() if key not in this.stuck)
    yield from (f"{s.key}: {why}" for s in facts.dry_runs if s.live and (why := byhand.added(s.after or s.live, s.wanted)))
    yield from (f"{key}: {why}" for key, why in this.decided.kept.items())
    yield from (
        f"{step.key}: {step.note}" for step in steps if step.doing == "leaving" or (step.remembered.mutated and step.action == "unchanged")
    )
    yield from _heard(facts)
    yield from _missing(this, fatal=False)
    yield from (f"{key} selects nothing: no pod has {labels}" for key, labels in facts.named.idle.items() if key in this.changing)
    yield from (f"{s.key}: {why}" for s in facts.dry_runs if s.key in this.changing and (why := steady.warning(s.wanted)))


def _heard(facts: ClusterFacts) -> list[str]:
    """The API server's warnings, each once, with its objects; of an object that was not asked about now, from when it was applied."""
    about: dict[str, list[str]] = {}
    for tried in facts.dry_runs:
        begin = "the API server warns" if tried.asked else "the API server warned when it was applied"
        for words in tried.warnings:
            about.setdefault(f"{begin}: {words}", []).append(str(tried.key))
    return [f"{', '.join(keys)}: {words}" for words, keys in about.items()]


def _without_namespace(facts: ClusterFacts) -> list[str]:
    """The objects in namespaces that neither exist nor are among the manifests."""
    if facts.namespaces is None:
        return []
    wanted = [key_of(tried.wanted) for tried in facts.dry_runs]
    there = {*facts.namespaces, *(key.name for key in wanted if key.kind == "Namespace")}
    places: dict[str, list[str]] = {}
    for key in wanted:
        if key.namespace and key.namespace not in there:
            places.setdefault(key.namespace, []).append(str(key))
    return [f"Namespace {place} is missing, and no manifest has it: {', '.join(sorted(keys))}" for place, keys in sorted(places.items())]


def _missing(this: About, *, fatal: bool) -> list[str]:
    """What objects refer to that is missing, or that this plan deletes: a line for each, with the objects that refer to it.

    `fatal`: those without which an object cannot work; else those without which it can.
    """
    steps, named = this.decided.steps, this.facts.named
    deleted = {step.key for step in steps if step.goes}
    idle = {step.key for step in steps if step.key.kind == "Job" and step.action == "unchanged" and not step.doing}  # they run no more
    rows: dict[tuple[str, str], list[Key]] = {}
    for reference in (*named.missing, *(r for r in named.outside if r.to in deleted)):
        if reference.fatal is fatal and reference.by not in idle:
            words = "is deleted by this plan" if reference.to in deleted else "is missing"
            rows.setdefault((f"{reference.named} {words}", reference.without), []).append(reference.by)
    return [f"{what}: {', '.join(map(str, sorted(set(by))))}: {without}" for (what, without), by in rows.items()]

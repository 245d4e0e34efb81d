"""Facts → what will change. Pure: no client, no file, no clock. The plan is a document that is shown, kept and applied as it is."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from ops.cluster import findings
from ops.cluster.decide import decide
from ops.cluster.facts import ClusterFacts
from ops.cluster.history import History
from ops.cluster.record import ChangeKind, RecordedMigration, unfinished
from ops.cluster.step import Step
from ops.errors import Refused
from ops.kube.objects import Key, Object, key_of, text
from ops.manifests.render import fingerprint


@dataclass(frozen=True, slots=True)
class Origin:
    """Why there is a plan, and what it comes from. `target`: the record that a rollback goes to.

    `migrations` are those that the code knows, `earlier` those that the database may have already.
    """

    kind: ChangeKind
    environment: str
    made_at: str
    commit: str = ""
    version: str = ""
    target: int = 0
    digests: Mapping[str, str] = field(default_factory=dict)
    migrations: tuple[RecordedMigration, ...] = ()
    earlier: tuple[RecordedMigration, ...] = ()


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A deploy whose record has no end. `held`: it is under way, else it was cut off. `same`: it wanted what this plan wants."""

    record: int
    who: str
    held: bool
    same: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that applying will do. `base` is the newest record when it was made, `last` the last good one (0: there is none).

    `problems` prevent that it is applied; `warnings` prevent nothing. `left_out` are objects whose kind the cluster does not know.
    `unverified`: the newest record is not good, so what it applied must still become ready. `names`: a release whose version the last good
    record does not have gets a record, changed or not.
    """

    origin: Origin
    cluster: str
    base: int
    steps: tuple[Step, ...]
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    left_out: tuple[Key, ...] = ()
    unfinished: Unfinished | None = None
    last: int = 0
    unverified: bool = False
    names: bool = False

    @property
    def changes(self) -> tuple[Step, ...]:
        """The steps that write."""
        return tuple(step for step in self.steps if step.action != "unchanged")

    @property
    def empty(self) -> bool:
        """Whether there is nothing to do."""
        runs = any(step.doing == "running" for step in self.steps)
        return not self.changes and not self.unverified and not self.names and not runs

    @property
    def hidden(self) -> tuple[Key, ...]:
        """The Secrets that it makes or changes: their values are in no document."""
        return tuple(step.key for step in self.steps if step.key.kind == "Secret" and step.action in ("create", "change"))

    @property
    def manifests(self) -> tuple[Object, ...]:
        """All objects that are wanted, changed or not."""
        return tuple(step.manifest for step in self.steps if step.manifest is not None and step.wants)

    @property
    def adopted(self) -> tuple[str, ...]:
        """What a record keeps of who made what: the keys of the objects that others made."""
        return tuple(step.key.written for step in self.steps if step.remembered.adopted)

    @property
    def mutated(self) -> tuple[str, ...]:
        """The fields, each after its object's key, that the API server itself changes: a record says that to the next plan."""
        return tuple(f"{step.key.written} {path}" for step in self.steps for path in step.remembered.mutated)

    @property
    def warned(self) -> Mapping[str, tuple[str, ...]]:
        """What the API server warned of each object: a record says that to the plans that need not ask again."""
        return {step.key.written: step.remembered.warned for step in self.steps if step.remembered.warned and step.wants}

    @property
    def removed(self) -> tuple[str, ...]:
        """The keys of what it deletes, or what was deleted before and is still there."""
        return tuple(step.key.written for step in self.steps if step.goes)

    @property
    def wanted(self) -> str:
        """The fingerprint of what is wanted: the same for two plans that want the same. A Secret is planned only until it is there."""
        without_secrets = [m for m in self.manifests if text(m, "kind") != "Secret"]
        return fingerprint([*sorted(without_secrets, key=key_of)])


def make_plan(origin: Origin, facts: ClusterFacts, stores: Collection[str], *, rehearsal: bool = False) -> Plan:
    """Decide what happens to each object. `stores`: the images of the stores.

    On a rehearsal, an object whose kind the cluster does not know is left out, in place of refused.
    """
    decided = decide(facts, stores, origin.kind)
    about = findings.about(facts, decided)
    last = facts.history.last.header if facts.history.last else None
    plan = Plan(
        origin,
        facts.cluster,
        base=max((header.number for header in facts.history.headers), default=0),
        steps=decided.steps,
        problems=tuple(findings.problems(about, origin.kind, rehearsal=rehearsal)),
        warnings=tuple(findings.warnings(about)),
        left_out=facts.unknown if rehearsal else (),
        last=last.number if last else 0,
        unverified=bool(facts.history.trail),
        names=origin.kind == "deploy" and last is not None and origin.version not in ("", last.version),
    )
    return replace(plan, unfinished=_unfinished(facts.history, plan.wanted))


def _unfinished(history: History, wanted: str) -> Unfinished | None:
    """The deploy that has not ended, or was cut off. `wanted`: the fingerprint of what this plan wants."""
    cut = unfinished(history.headers)
    return Unfinished(cut.number, cut.who, history.held, same=wanted == cut.wanted) if cut else None


def check_environment(plan: Plan, environment: str) -> None:
    """Raise `Refused` for a plan that is for another environment."""
    if plan.origin.environment != environment:
        raise Refused("checking the plan", f"it is for {plan.origin.environment}", f"Make one for {environment}.")

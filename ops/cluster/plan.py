"""Facts → what will change. Pure: no client, no file, no clock. The plan is a document that is shown, kept and applied as it is."""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Final, Literal, get_args

from ops.cluster import needs, ownership
from ops.cluster.facts import Facts, Leftover, Sight
from ops.cluster.record import KEEP, Kind, Migration, migrations_in, unfinished
from ops.errors import Refused, UsageError
from ops.kube import byhand
from ops.kube.diff import Difference, by_name, differences, masked, quiet
from ops.kube.objects import Json, Key, Object, at, condition, key_of, number, rows, table, text, texts
from ops.kube.order import KEPT, Phase, phase_of
from ops.kube.readiness import steady
from ops.manifests.render import fingerprint

VERSION: Final = 1
Action = Literal["create", "change", "replace", "unchanged", "release", "delete"]
_MUTATES: Final = "no manifest has that, and a mutating policy or webhook does it"
_NEEDLESS: Final = "no record needs it any more"
_GENERATED = re.compile(r"-[a-z0-9]{10}$")  # how kustomize ends the name of a generated ConfigMap


@dataclass(frozen=True, slots=True)
class Step:
    """What happens to one object. `before` is what lay there when the plan was made, `manifest` what is applied.

    `force` takes back fields of ours that another manager has set; `note` says so, or why an object stays. `runs`: a Job that
    is there already and has not ended. `inherits`: what `kubectl apply` owns of it becomes ours. `adopted`: others made it. `leaving`:
    it was deleted, and is still there. To `release` an object is to give up our fields of it: `manifest` is then its bare name.
    """

    key: Key
    action: Action
    phase: Phase
    manifest: Object | None
    before: Object | None = None
    resource_version: str = ""
    differences: tuple[Difference, ...] = ()
    force: bool = False
    note: str = ""
    runs: bool = False
    inherits: bool = False
    adopted: bool = False
    leaving: bool = False
    stirred: tuple[str, ...] = ()  # the fields in which the API server's answer differs, and no manifest has them
    warned: tuple[str, ...] = ()  # what the API server warned of when it was asked about the object last

    @property
    def wants(self) -> bool:
        """Whether the object is wanted, and not one that goes."""
        return self.manifest is not None and self.action not in ("release", "delete")


@dataclass(frozen=True, slots=True)
class Origin:
    """Why there is a plan, and what it comes from. `target`: the record that a rollback goes to.

    `migrations` are those that the code knows, `met` those that the database may have already.
    """

    kind: Kind
    environment: str
    made_at: str
    commit: str = ""
    version: str = ""
    target: int = 0
    digests: Mapping[str, str] = field(default_factory=dict)
    migrations: tuple[Migration, ...] = ()
    met: tuple[Migration, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that applying will do. `base` is the newest record at that time; `unfinished` one that was cut off.

    `problems` prevent that it is applied; `left_out` are objects whose kind the cluster does not know; `warnings` prevent nothing,
    such as what was changed by hand and a deploy does not undo.
    """

    origin: Origin
    cluster: str
    base: int
    steps: tuple[Step, ...]
    problems: tuple[str, ...] = ()
    left_out: tuple[Key, ...] = ()
    unfinished: int = 0
    unfinished_who: str = ""
    held: bool = False  # by the unfinished one, which is under way
    finishes: bool = False  # what the unfinished record wanted is what this plan wants
    last: int = 0  # the last good record
    unsettled: bool = False  # the newest record is not good: what it applied must still become ready
    warnings: tuple[str, ...] = ()
    names: bool = False  # a release whose version the last good record does not have: it gets a record, changed or not

    @property
    def changes(self) -> tuple[Step, ...]:
        """The steps that write."""
        return tuple(step for step in self.steps if step.action != "unchanged")

    @property
    def empty(self) -> bool:
        """Whether there is nothing to do."""
        return not self.changes and not self.unsettled and not self.names and not any(step.runs for step in self.steps)

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
        return tuple(step.key.written for step in self.steps if step.adopted)

    @property
    def stirred(self) -> tuple[str, ...]:
        """The fields, each after its object's key, that the API server itself changes: a record says that to the next plan."""
        return tuple(f"{step.key.written} {path}" for step in self.steps for path in step.stirred)

    @property
    def warned(self) -> Mapping[str, tuple[str, ...]]:
        """What the API server warned of each object: a record says that to the plans that need not ask again."""
        return {step.key.written: step.warned for step in self.steps if step.warned and step.wants}

    @property
    def removed(self) -> tuple[str, ...]:
        """The keys of what it deletes, or what was deleted before and is still there."""
        return tuple(step.key.written for step in self.steps if step.action == "delete" or step.leaving)

    @property
    def wanted(self) -> str:
        """The fingerprint of what is wanted: the same for two plans that want the same. A Secret is planned only until it is there."""
        without_secrets = [m for m in self.manifests if text(m, "kind") != "Secret"]
        return fingerprint([*sorted(without_secrets, key=key_of)])


def make_plan(origin: Origin, facts: Facts, stores: Collection[str], *, rehearsal: bool = False) -> Plan:
    """Decide what happens to each object. `rehearsal`: a kind the cluster does not know is left out instead of refused."""
    ran = facts.last.keys if facts.last else set()
    former = ran.union(*(r.keys for r in facts.trail))
    steps = [_step(sight, facts, stores, ran, origin.kind) for sight in facts.sights]
    steps = [replace(_introduced(one, sight, facts, former), warned=sight.warnings) for one, sight in zip(steps, facts.sights, strict=True)]
    going = [left for left in facts.others if _goes(left.live, origin.kind)]
    theirs = {key_of(left.live): why for left in going if (why := _theirs(left, facts))}
    steps += [_removal(left, facts, former) for left in going if key_of(left.live) not in theirs]
    steps = _without_clean_up_alone(sorted(steps, key=lambda step: (step.phase, step.key)))
    problems = [f"{key_of(s.wanted)}: {s.refusal}" for s in facts.sights if s.refusal]
    problems += [f"{key_of(s.live)}: {why}" for s in facts.sights if s.live and (why := byhand.leaving(s.live))]
    changing = {step.key for step in steps if step.action != "unchanged"}
    halted = {key_of(s.live): why for s in facts.sights if s.live and (why := byhand.halted(s.live, s.wanted))}
    problems += [f"{key}: {why}" for key, why in halted.items() if key in changing]
    warnings = [f"{key}: {why}" for key, why in halted.items() if key not in changing]
    warnings += [f"{key_of(s.wanted)}: {why}" for s in facts.sights if s.live and (why := byhand.added(s.after or s.live, s.wanted))]
    warnings += [f"{key}: {why}" for key, why in theirs.items()]
    warnings += [f"{step.key}: {step.note}" for step in steps if step.leaving or (step.stirred and step.action == "unchanged")]
    warnings += _heard(facts)
    problems += [*_without_namespace(facts), *facts.missing]
    problems += _missing(facts, steps, fatal=True)
    warnings += _missing(facts, steps, fatal=False)
    warnings += [f"{key} selects nothing: no pod has {labels}" for key, labels in facts.named.idle.items() if key in changing]
    warnings += [f"{key}: {why}" for s in facts.sights if (key := key_of(s.wanted)) in changing and (why := steady.warning(s.wanted))]
    if origin.kind == "deploy":  # what a record holds was checked by the catalogue of its time
        problems += facts.unset
    if not rehearsal:
        problems += [f"{key}: this cluster does not know the kind {key.kind}" for key in facts.unknown]
    plan = Plan(
        origin,
        facts.cluster,
        max((h.number for h in facts.history), default=0),
        tuple(steps),
        tuple(problems),
        facts.unknown,
        last=facts.last.header.number if facts.last else 0,
        unsettled=bool(facts.trail),
        warnings=tuple(warnings),
        names=origin.kind == "deploy" and facts.last is not None and origin.version not in ("", facts.last.header.version),
    )
    cut = unfinished(facts.history)
    if cut is None:
        return plan
    return replace(plan, unfinished=cut.number, unfinished_who=cut.who, held=facts.held, finishes=plan.wanted == cut.wanted)


def _heard(facts: Facts) -> list[str]:
    """The API server's warnings, each once, with its objects; of an object that was not asked about now, from when it was applied."""
    about: dict[str, list[str]] = {}
    for sight in facts.sights:
        begin = "the API server warns" if sight.asked else "the API server warned when it was applied"
        for words in sight.warnings:
            about.setdefault(f"{begin}: {words}", []).append(str(key_of(sight.wanted)))
    return [f"{', '.join(keys)}: {words}" for words, keys in about.items()]


def _without_namespace(facts: Facts) -> list[str]:
    """The objects in namespaces that neither exist nor are among the manifests."""
    if facts.namespaces is None:
        return []
    wanted = [key_of(sight.wanted) for sight in facts.sights]
    there = {*facts.namespaces, *(key.name for key in wanted if key.kind == "Namespace")}
    places: dict[str, list[str]] = {}
    for key in wanted:
        if key.namespace and key.namespace not in there:
            places.setdefault(key.namespace, []).append(str(key))
    return [f"Namespace {place} is missing, and no manifest has it: {', '.join(sorted(keys))}" for place, keys in sorted(places.items())]


def _missing(facts: Facts, steps: Collection[Step], *, fatal: bool) -> list[str]:
    """What objects refer to that is missing, or that this plan deletes: a line for each, with the objects that refer to it."""
    deleted = {step.key for step in steps if step.action == "delete" or step.leaving}
    idle = {step.key for step in steps if step.key.kind == "Job" and step.action == "unchanged" and not step.runs}  # they run no more
    rows: dict[tuple[str, str], list[Key]] = {}
    for reference in (*facts.named.missing, *(r for r in facts.named.outside if r.to in deleted)):
        if reference.fatal is fatal and reference.by not in idle:
            words = "is deleted by this plan" if reference.to in deleted else "is missing"
            rows.setdefault((f"{reference.named} {words}", reference.without), []).append(reference.by)
    return [f"{what}: {', '.join(map(str, sorted(set(by))))}: {without}" for (what, without), by in rows.items()]


def _without_clean_up_alone(steps: list[Step]) -> list[Step]:
    """What no record needs any more is deleted together with the next change.

    A plan that only cleans up would make a record, with which another record expires, and then there is more to clean up.
    """
    if any(step.action != "unchanged" and step.note != _NEEDLESS for step in steps):
        return steps
    return [replace(step, action="unchanged", note="goes with the next change") if step.note == _NEEDLESS else step for step in steps]


def _step(sight: Sight, facts: Facts, stores: Collection[str], ran: Collection[Key], kind: Kind) -> Step:
    wanted, live = sight.wanted, sight.live
    step = Step(key_of(wanted), "create", phase_of(wanted, stores), wanted)
    if step.key.kind == "Job":
        return _job(step, live, ran, kind)
    if live is None:
        return replace(step, differences=differences(*masked(None, wanted)))
    before = quiet(live)
    after = before if sight.after is None or sight.after is live else quiet(sight.after)
    notes = [f"takes {c.path} back from {c.manager}" for c in sight.conflicts]
    changed = differences(*masked(before, after))
    stirred = tuple(d.path for d in changed) if _stirs(sight, before, after) else ()
    again = bool(stirred) and all(f"{step.key.written} {path}" in facts.stirred for path in stirred)
    if stirred:
        notes.append(f"the API server changes {', '.join(stirred)} {'at each request' if again else 'itself'}: {_MUTATES}")
    return replace(
        step,
        action="change" if (changed and not again) or sight.inherits or _owns_otherwise(sight) else "unchanged",
        before=masked(before, before)[0],
        resource_version=text(live, "metadata", "resourceVersion"),
        differences=changed,
        force=bool(sight.conflicts),
        note="; ".join(notes),
        inherits=sight.inherits,
        adopted=step.key in facts.adopted,
        stirred=stirred,
    )


def _stirs(sight: Sight, before: Object, after: Object) -> bool:
    """Whether the differing fields are in no manifest: then a mutating policy or webhook writes them."""
    if sight.after is None or sight.conflicts or sight.inherits or _owns_otherwise(sight):
        return False
    return before != after and not differences({"": _of(before, sight.wanted)}, {"": _of(after, sight.wanted)})


def _of(found: Json, wanted: Json) -> Json:
    """The fields of an object that a manifest has too."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        return {name: _of(found[name], value) for name, value in wanted.items() if name in found}
    old, new = (by_name(value) if isinstance(value, list) else None for value in (found, wanted))
    if old is None or new is None:
        return found
    return [_of(value, new[name]) for name, value in old.items() if name in new]


def _owns_otherwise(sight: Sight) -> bool:
    """Whether an apply changes which fields are ours: a field that is not ours stays when the manifest has it no longer."""
    return sight.live is not None and sight.after is not None and ownership.fields_of(sight.live) != ownership.fields_of(sight.after)


def _introduced(step: Step, sight: Sight, facts: Facts, former: Collection[Key]) -> Step:
    """Note who made an object that exists and that no deploy has made."""
    if sight.live is None or step.key.kind == "Job":
        return step
    notes = [step.note] if step.note else []
    others = [m for m in ownership.makers(sight.live) if m not in ownership.kubectls(sight.live)]
    foreign = not ownership.ours(sight.live) and step.key not in former
    if sight.inherits:
        notes.insert(0, "what kubectl applied becomes this deploy's")
    if foreign and (others or not sight.inherits):
        notes.insert(0, f"exists, made by {' and '.join(others) or 'hand'}: it is shared from now on")
    elif not notes and step.action == "change" and not step.differences:
        notes = ["its fields become this deploy's"]
    return replace(step, note="; ".join(notes), adopted=step.adopted or (foreign and bool(others)))


def _job(step: Step, live: Object | None, ran: Collection[Key], kind: Kind) -> Step:
    """A Job is named after its content: it runs once, and again only when it failed. A rollback runs none."""
    assert step.manifest is not None
    if kind != "deploy":
        return replace(step, action="unchanged", note="a rollback runs no Job")
    if live is None:
        if step.key in ran:
            return replace(step, action="unchanged", note="ran in an earlier deploy")
        return replace(step, differences=differences(None, step.manifest))
    version = text(live, "metadata", "resourceVersion")
    found = replace(step, before=quiet(live), resource_version=version)
    if text(condition(live, "Failed"), "status") == "True":
        return replace(found, action="replace", note="failed before: runs again")
    if text(condition(live, "Complete"), "status") == "True":
        return replace(found, action="unchanged")
    return replace(found, action="unchanged", runs=True, note="still runs: it is waited for")


def _goes(live: Object, kind: Kind) -> bool:
    name = text(live, "kind")
    return name not in KEPT and not (name == "Job" and kind != "deploy")


def _theirs(left: Leftover, facts: Facts) -> str:
    """Why an object with our label stays that no manifest has, or the empty string."""
    live = left.live
    if text(live, "metadata", "deletionTimestamp"):
        return ""
    if owner := ownership.owners(live):
        return f"it has our label, and belongs to {owner}: it is kept"
    if not ownership.ours(live):
        made = " and ".join(ownership.makers(live)) or "hand"
        return f"it has our label, and was made by {made} and not by a deploy: it is kept"
    partners = ownership.partners(live, adopted=key_of(live) in facts.adopted)
    if partners and left.released is None:
        return f"it is {' and '.join(partners)}'s too, and cannot be without what a deploy set: it is kept as it is"
    return ""


def _removal(left: Leftover, facts: Facts, former: Collection[Key]) -> Step:
    live = left.live
    key, before = key_of(live), masked(quiet(live), None)[0]
    step = Step(key, "delete", Phase.PRUNE, None, before, text(live, "metadata", "resourceVersion"))
    if why := byhand.lingers(live):
        return replace(step, action="unchanged", note=why, leaving=True)
    if left.released is not None:
        partners = " and ".join(ownership.partners(live, adopted=key in facts.adopted))
        changed = differences(*masked(quiet(live), quiet(left.released)))
        note = f"stays, as it is {partners}'s too: what a deploy set is given up"
        return replace(step, action="release", manifest=ownership.bare(live), differences=changed, note=note)
    needed = _still_needed(key, facts)
    if key.kind == "ConfigMap" and (_GENERATED.search(key.name) or key not in former) and needed:
        return replace(step, action="unchanged", note=f"kept: {needed}")
    return replace(step, note="was in the last deploy, is not in this one" if key in former else _NEEDLESS)


def _still_needed(key: Key, facts: Facts) -> str:
    """Why an old generated ConfigMap must stay: a pod that starts again, or a rollback, reads it."""
    place = (key.namespace, key.name)
    if any(place in needs.config_maps_of(replica_set) for replica_set in facts.replica_sets):
        return "pods still read it"
    kept = [header.number for header in facts.history[-(KEEP - 1) :] if f"{key.namespace}/{key.name}" in header.keeps]
    return f"record {max(kept)} needs it" if kept else ""


def generated_config_maps(manifests: Collection[Object]) -> tuple[str, ...]:
    """The generated ConfigMaps (namespace/name) among objects: what a record must keep alive."""
    keys = [key_of(m) for m in manifests]
    return tuple(sorted(f"{k.namespace}/{k.name}" for k in keys if k.kind == "ConfigMap" and _GENERATED.search(k.name)))


def moved(step: Step, live: Object | None) -> tuple[Difference, ...]:
    """How an object differs from what the plan was made from. Status and what controllers set does not count."""
    if live is not None and text(live, "metadata", "resourceVersion") == step.resource_version:
        return ()
    now = None if live is None else masked(quiet(live), quiet(live))[0]
    before, now = _unscaled(step.before, step.manifest), _unscaled(now, step.manifest)
    return differences(before, now)


def _unscaled(found: Object | None, manifest: Object | None) -> Object | None:
    """Without `spec.replicas` where the manifest leaves them to an autoscaler."""
    if found is None or manifest is None or at(manifest, "spec", "replicas") is not None or "spec" not in found:
        return found
    return {**found, "spec": {k: v for k, v in table(found, "spec").items() if k != "replicas"}}


def check_environment(plan: Plan, environment: str) -> None:
    """Raise `Refused` for a plan that is for another environment."""
    if plan.origin.environment != environment:
        raise Refused("checking the plan", f"it is for {plan.origin.environment}", f"Make one for {environment}.")


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
        plan = _from(document)
    except (KeyError, TypeError, ValueError) as error:
        cause = f"it is not as this version writes it: {error!r}"
        raise UsageError("reading a plan", cause, "Make it again with `invoke plan`.") from error
    if plan.hidden:
        cause = f"it changes {', '.join(map(str, plan.hidden))}, whose values are not in the file"
        raise UsageError("reading a plan", cause, "Run `invoke deploy` without a plan file.")
    return plan


def _from(document: Object) -> Plan:
    steps = tuple(_read_step(row) for row in rows(document, "steps"))
    origin = table(document, "origin")
    migrations, met = migrations_in(origin, "migrations"), migrations_in(origin, "met")
    values = {k: v for k, v in origin.items() if k not in ("digests", "migrations", "met", "target")}
    digests = {k: str(v) for k, v in table(origin, "digests").items()}
    return Plan(
        Origin(**values, target=number(origin, "target"), digests=digests, migrations=migrations, met=met),  # type: ignore[arg-type]
        text(document, "cluster"),
        number(document, "base"),
        steps,
        tuple(texts(document, "problems")),
        tuple(_read_key(row) for row in rows(document, "left_out")),
        number(document, "unfinished"),
        text(document, "unfinished_who"),
        document.get("held") is True,
        document.get("finishes") is True,
        number(document, "last"),
        document.get("unsettled") is True,
        tuple(texts(document, "warnings")),
        document.get("names") is True,
    )


def _read_step(row: Object) -> Step:
    before, manifest = at(row, "before"), at(row, "manifest")
    if text(row, "action") not in get_args(Action):
        raise ValueError(f"there is no action {row.get('action')!r}")
    return Step(
        _read_key(table(row, "key")),
        text(row, "action"),  # type: ignore[arg-type]
        Phase[text(row, "phase").upper()],
        manifest if isinstance(manifest, dict) else None,
        before if isinstance(before, dict) else None,
        text(row, "resource_version"),
        tuple(Difference(text(d, "path"), d.get("before"), d.get("after")) for d in rows(row, "differences")),
        row.get("force") is True,
        text(row, "note"),
        row.get("runs") is True,
        row.get("inherits") is True,
        row.get("adopted") is True,
        row.get("leaving") is True,
        tuple(texts(row, "stirred")),
        tuple(texts(row, "warned")),
    )


def _read_key(row: Object) -> Key:
    return Key(text(row, "kind"), text(row, "namespace"), text(row, "name"), text(row, "group"))

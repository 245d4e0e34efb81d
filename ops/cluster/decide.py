"""Facts about one object → what happens to it. Pure."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Final

from ops.cluster import needs, ownership
from ops.cluster.dryrun import DryRun
from ops.cluster.facts import ClusterFacts
from ops.cluster.record import KEEP, ChangeKind
from ops.cluster.step import Remembered, Step
from ops.cluster.unwanted import Unwanted
from ops.documents import Json
from ops.kube import byhand
from ops.kube.diff import by_name, differences, masked, quiet
from ops.kube.objects import Key, Object, condition, key_of, text
from ops.kube.order import KEPT, Phase, phase_of

_MUTATES: Final = "no manifest has that, and a mutating policy or webhook does it"
_NEEDLESS: Final = "no record needs it any more"
_GENERATED = re.compile(r"-[a-z0-9]{10}$")  # how kustomize ends the name of a generated ConfigMap


@dataclass(frozen=True, slots=True)
class Decided:
    """The steps in their order; and why objects stay that have our label and that no manifest has."""

    steps: tuple[Step, ...]
    kept: Mapping[Key, str]


def decide(facts: ClusterFacts, stores: Collection[str], kind: ChangeKind) -> Decided:
    """What happens to each object. `stores`: the images of the stores, whose workloads come before all others."""
    steps = [_introduced(_step(one, facts, stores, kind), one, facts) for one in facts.dry_runs]
    going = [one for one in facts.unwanted if _goes(one.live, kind)]
    kept = {key_of(one.live): why for one in going if (why := _kept(one, facts))}
    steps += [_removal(one, facts) for one in going if key_of(one.live) not in kept]
    steps.sort(key=lambda step: (step.phase, step.key))
    return Decided(tuple(_without_clean_up_alone(steps)), kept)


def generated_config_maps(manifests: Collection[Object]) -> tuple[str, ...]:
    """The generated ConfigMaps (namespace/name) among objects: what a record must keep alive."""
    keys = [key_of(m) for m in manifests]
    return tuple(sorted(f"{k.namespace}/{k.name}" for k in keys if k.kind == "ConfigMap" and _GENERATED.search(k.name)))


def _without_clean_up_alone(steps: list[Step]) -> list[Step]:
    """What no record needs any more is deleted together with the next change.

    A plan that only cleans up would make a record, with which another record expires, and then there is more to clean up.
    """
    if any(step.action != "unchanged" and step.note != _NEEDLESS for step in steps):
        return steps
    return [replace(step, action="unchanged", note="goes with the next change") if step.note == _NEEDLESS else step for step in steps]


def _step(tried: DryRun, facts: ClusterFacts, stores: Collection[str], kind: ChangeKind) -> Step:
    """What happens to a wanted object."""
    wanted, live = tried.wanted, tried.live
    step = Step(tried.key, "create", phase_of(wanted, stores), wanted, remembered=Remembered(warned=tried.warnings))
    if step.key.kind == "Job":
        return _job(step, wanted, live, None if kind != "deploy" else facts.history.ran)
    if live is None:
        return replace(step, differences=differences(*masked(None, wanted)))
    before = quiet(live)
    after = before if tried.after is None or tried.after is live else quiet(tried.after)
    notes = [f"takes {c.path} back from {c.manager}" for c in tried.conflicts]
    changed = differences(*masked(before, after))
    mutated = tuple(d.path for d in changed) if _is_mutated(tried, before, after) else ()
    again = bool(mutated) and all(f"{step.key.written} {path}" in facts.history.mutated for path in mutated)
    if mutated:
        notes.append(f"the API server changes {', '.join(mutated)} {'at each request' if again else 'itself'}: {_MUTATES}")
    return replace(
        step,
        action="change" if (changed and not again) or tried.inherits or _owns_otherwise(tried) else "unchanged",
        before=masked(before, before)[0],
        resource_version=text(live, "metadata", "resourceVersion"),
        differences=changed,
        note="; ".join(notes),
        force=bool(tried.conflicts),
        inherits=tried.inherits,
        remembered=replace(step.remembered, adopted=step.key in facts.history.adopted, mutated=mutated),
    )


def _is_mutated(tried: DryRun, before: Object, after: Object) -> bool:
    """Whether the differing fields are in no manifest: then a mutating policy or webhook writes them."""
    if tried.after is None or tried.conflicts or tried.inherits or _owns_otherwise(tried):
        return False
    return before != after and not differences({"": _of(before, tried.wanted)}, {"": _of(after, tried.wanted)})


def _of(found: Json, wanted: Json) -> Json:
    """The fields of an object that a manifest has too."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        return {name: _of(found[name], value) for name, value in wanted.items() if name in found}
    old, new = (by_name(value) if isinstance(value, list) else None for value in (found, wanted))
    if old is None or new is None:
        return found
    return [_of(value, new[name]) for name, value in old.items() if name in new]


def _owns_otherwise(tried: DryRun) -> bool:
    """Whether an apply changes which fields are ours: a field that is not ours stays when the manifest has it no longer."""
    return tried.live is not None and tried.after is not None and ownership.fields_of(tried.live) != ownership.fields_of(tried.after)


def _introduced(step: Step, tried: DryRun, facts: ClusterFacts) -> Step:
    """Note who made an object that exists and that no deploy has made."""
    if tried.live is None or step.key.kind == "Job":
        return step
    notes = [step.note] if step.note else []
    others = [m for m in ownership.makers(tried.live) if m not in ownership.kubectls(tried.live)]
    foreign = not ownership.ours(tried.live) and step.key not in facts.history.keys
    if tried.inherits:
        notes.insert(0, "what kubectl applied becomes this deploy's")
    if foreign and (others or not tried.inherits):
        notes.insert(0, f"exists, made by {' and '.join(others) or 'hand'}: it is shared from now on")
    elif not notes and step.action == "change" and not step.differences:
        notes = ["its fields become this deploy's"]
    adopted = step.remembered.adopted or (foreign and bool(others))
    return replace(step, note="; ".join(notes), remembered=replace(step.remembered, adopted=adopted))


def _job(step: Step, wanted: Object, live: Object | None, ran: Collection[Key] | None) -> Step:
    """A Job is named after its content: it runs once, and again only when it failed. `ran`: those that did; None where none is run."""
    if ran is None:
        return replace(step, action="unchanged", note="a rollback runs no Job")
    if live is None:
        if step.key in ran:
            return replace(step, action="unchanged", note="ran in an earlier deploy")
        return replace(step, differences=differences(None, wanted))
    found = replace(step, before=quiet(live), resource_version=text(live, "metadata", "resourceVersion"))
    if text(condition(live, "Failed"), "status") == "True":
        return replace(found, action="replace", note="failed before: runs again")
    if text(condition(live, "Complete"), "status") == "True":
        return replace(found, action="unchanged")
    return replace(found, action="unchanged", doing="running", note="still runs: it is waited for")


def _goes(live: Object, kind: ChangeKind) -> bool:
    name = text(live, "kind")
    return name not in KEPT and not (name == "Job" and kind != "deploy")


def _kept(one: Unwanted, facts: ClusterFacts) -> str:
    """Why an object with our label stays that no manifest has, or the empty string."""
    live = one.live
    if text(live, "metadata", "deletionTimestamp"):
        return ""
    if owner := ownership.owners(live):
        return f"it has our label, and belongs to {owner}: it is kept"
    if not ownership.ours(live):
        made = " and ".join(ownership.makers(live)) or "hand"
        return f"it has our label, and was made by {made} and not by a deploy: it is kept"
    partners = ownership.partners(live, adopted=key_of(live) in facts.history.adopted)
    if partners and one.released is None:
        return f"it is {' and '.join(partners)}'s too, and cannot be without what a deploy set: it is kept as it is"
    return ""


def _removal(one: Unwanted, facts: ClusterFacts) -> Step:
    """What happens to an object that is not wanted any more."""
    live = one.live
    key, before = key_of(live), masked(quiet(live), None)[0]
    step = Step(key, "delete", Phase.PRUNE, None, before, text(live, "metadata", "resourceVersion"))
    if why := byhand.lingers(live):
        return replace(step, action="unchanged", note=why, doing="leaving")
    if one.released is not None:
        partners = " and ".join(ownership.partners(live, adopted=key in facts.history.adopted))
        changed = differences(*masked(quiet(live), quiet(one.released)))
        note = f"stays, as it is {partners}'s too: what a deploy set is given up"
        return replace(step, action="release", manifest=ownership.bare(live), differences=changed, note=note)
    needed, had = _still_needed(key, facts), key in facts.history.keys
    if key.kind == "ConfigMap" and (_GENERATED.search(key.name) or not had) and needed:
        return replace(step, action="unchanged", note=f"kept: {needed}")
    return replace(step, note="was in the last deploy, is not in this one" if had else _NEEDLESS)


def _still_needed(key: Key, facts: ClusterFacts) -> str:
    """Why an old generated ConfigMap must stay: a pod that starts again, or a rollback, reads it."""
    place = (key.namespace, key.name)
    if any(place in needs.config_maps_of(replica_set) for replica_set in facts.replica_sets):
        return "pods still read it"
    kept = [header.number for header in facts.history.headers[-(KEEP - 1) :] if f"{key.namespace}/{key.name}" in header.keeps]
    return f"record {max(kept)} needs it" if kept else ""

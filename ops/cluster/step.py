"""What a plan does with one object."""

from dataclasses import dataclass, field
from typing import Literal

from ops.kube.diff import Difference, differences, masked, quiet
from ops.kube.objects import Key, Object, at, table, text
from ops.kube.order import Phase

Action = Literal["create", "change", "replace", "unchanged", "release", "delete"]
Doing = Literal["", "running", "leaving"]


@dataclass(frozen=True, slots=True)
class Remembered:
    """What a record keeps of an object besides its manifest.

    `adopted`: others made it, before a deploy had it. `mutated`: the fields in which the API server's answer differs, and that no
    manifest has. `warned`: what the API server warned of when it was asked about the object last.
    """

    adopted: bool = False
    mutated: tuple[str, ...] = ()
    warned: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """What happens to one object. `before` is what lay there when the plan was made, `manifest` what is applied.

    To `release` an object is to give up our fields of it: `manifest` is then its bare name. `note`: why an object stays, or what is
    special about its change. `doing`: what the object does by itself: a Job that has not ended is `running`, an object that was deleted
    and is still there is `leaving`. `force` takes back fields of ours that another manager has set. `inherits`: what `kubectl apply` owns
    of it becomes ours.
    """

    key: Key
    action: Action
    phase: Phase
    manifest: Object | None
    before: Object | None = None
    resource_version: str = ""
    differences: tuple[Difference, ...] = ()
    note: str = ""
    doing: Doing = ""
    force: bool = False
    inherits: bool = False
    remembered: Remembered = field(default_factory=Remembered)

    @property
    def wants(self) -> bool:
        """Whether the object is wanted, and not one that goes."""
        return self.manifest is not None and self.action not in ("release", "delete")

    @property
    def goes(self) -> bool:
        """Whether the object is deleted, or was deleted before and is still there."""
        return self.action == "delete" or self.doing == "leaving"


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

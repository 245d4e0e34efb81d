"""What a change that failed leaves behind, and no plan takes away: Jobs that still run, claims that never got a volume."""

from collections.abc import Iterator, Sequence

from ops.catalog.names import OWNED
from ops.cluster import ownership
from ops.cluster.apply import PRUNE_SECONDS, REPLACE_SECONDS, Pace, left_after
from ops.cluster.plan import Plan
from ops.cluster.step import Step
from ops.errors import Failure
from ops.kube import byhand, write
from ops.kube.client import Client
from ops.kube.objects import Key, Object, key_of, number, rows, text
from ops.kube.progress import Notice
from ops.kube.readiness.job import ended

_CLAIM = "PersistentVolumeClaim"


def running_jobs(client: Client, namespaces: Sequence[str]) -> list[Object]:
    """The Jobs of deploys that have not ended. One that something else made, such as a CronJob or a person, is that one's."""
    resource = client.resource("batch/v1", "Job")
    found = client.each(lambda namespace: client.find(resource, namespace, labels=OWNED) if resource else [], namespaces)
    return [job for jobs in found for job in jobs if ownership.ours(job) and not ownership.owners(job) and not ended(job)]


def stop_jobs(client: Client, namespaces: Sequence[str], pace: Pace) -> list[str]:
    """Stop what still runs, so that it changes nothing after the way back; and say so, one line a Job."""
    said: list[str] = []
    for job in running_jobs(client, namespaces):
        key = key_of(job)
        pace.check()
        why = _remove(client, key, job, REPLACE_SECONDS)
        if why:
            words = f"still runs ({why}): `kubectl --namespace={key.namespace} delete job/{key.name}` stops it"
            pace.tell(Notice(key, "failed", f"it {words}"))
            said.append(f"{key} {words}.")
        else:
            pace.tell(Notice(key, "stopped", "it had not ended"))
            said.append(f"{key} was stopped: it had not ended.")
    return said


def remove_claims(client: Client, plan: Plan, pace: Pace) -> list[str]:
    """Delete the claims that this plan made and that never had a volume: they hold nothing, and cannot be corrected; and say so."""
    said: list[str] = []
    for key, claim in (found for step in plan.steps for found in _claims_of(client, step)):
        pace.check()
        if _bound(claim):
            said.append(f"{key} stays, for it has a volume: `{_command(key)}` deletes both.")
        else:
            said.append(_without_claim(client, key, claim, pace))
    return said


def clear(client: Client, namespaces: Sequence[str], plan: Plan, pace: Pace) -> list[str]:
    """Where nothing is gone back to: name what still runs, and delete what would refuse the correction; and say so.

    That is a claim without a volume, whose class and size cannot be changed; and a StatefulSet all of whose claims are such, since its
    templates cannot be changed either, and it would make them again. Both were made by this plan and hold nothing.
    """
    said = [f"{key_of(job)} still runs: the next deploy waits for it." for job in running_jobs(client, namespaces)]
    for step in plan.steps:
        pace.check()
        said += _clear(client, step, pace)
    return said


def _clear(client: Client, step: Step, pace: Pace) -> Iterator[str]:
    claims = list(_claims_of(client, step))
    if any(_bound(claim) for _, claim in claims):
        yield from (f"{key} has no volume yet: `{_command(key)}` deletes it." for key, claim in claims if not _bound(claim))
        return
    if claims and step.key.kind != _CLAIM and (live := _live(client, step.key)):
        if why := _remove(client, step.key, live, PRUNE_SECONDS):
            yield f"{step.key} waits for volumes, and stays ({why})."
            return
        pace.tell(Notice(step.key, "deleted", "none of its claims had a volume"))
        yield f"{step.key} was deleted: none of its claims had a volume."
        claims = list(_claims_of(client, step))  # anew: they may have changed while it went
    yield from (_without_claim(client, key, claim, pace) for key, claim in claims if not _bound(claim))


def _claims_of(client: Client, step: Step) -> Iterator[tuple[Key, Object]]:
    """The claims that a step made: itself, or those of a StatefulSet's templates."""
    if step.action != "create":
        return
    names = [step.key.name] if step.key.kind == _CLAIM else []
    if step.key.kind == "StatefulSet":
        templates = [text(t, "metadata", "name") for t in rows(step.manifest, "spec", "volumeClaimTemplates")]
        replicas = range(number(step.manifest, "spec", "replicas", default=1))
        names = [f"{template}-{step.key.name}-{n}" for template in templates for n in replicas]
    for key in (Key(_CLAIM, step.key.namespace, name) for name in names):
        if claim := _live(client, key):
            yield key, claim


def _live(client: Client, key: Key) -> Object | None:
    resource = client.by_key(key)
    return client.get(resource, key.namespace, key.name) if resource else None


def _without_claim(client: Client, key: Key, claim: Object, pace: Pace) -> str:
    """Delete a claim that never had a volume; how that went, in a sentence."""
    if why := _remove(client, key, claim, PRUNE_SECONDS):
        return f"{key} never had a volume, and stays ({why}): `{_command(key)}` deletes it."
    pace.tell(Notice(key, "deleted", "it never had a volume"))
    return f"{key} was deleted: it never had a volume."


def _bound(claim: Object) -> bool:
    return text(claim, "status", "phase") not in ("", "Pending") or bool(text(claim, "spec", "volumeName"))


def _remove(client: Client, key: Key, seen: Object, seconds: int) -> str:
    """Delete the very object that was seen, as it was seen (a claim may get its volume at this moment), and wait for that.

    A Job is gone when its pods are. Returns why the object is there still, or the empty string.
    """
    resource = client.by_key(key)
    assert resource is not None
    known = ("uid", "resourceVersion") if key.kind == _CLAIM else ("uid",)
    preconditions = {name: text(seen, "metadata", name) for name in known}
    try:
        write.delete(client, resource.path(key.namespace, key.name), preconditions=preconditions, foreground=True)
        left = left_after(client, resource, key, seconds)
    except Failure as failure:
        return failure.cause
    return byhand.lingers(left) if left else ""


def _command(key: Key) -> str:
    return f"kubectl --namespace={key.namespace} delete pvc/{key.name}"

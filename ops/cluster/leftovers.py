"""What a change that failed leaves behind, and no plan takes away: Jobs that still run, claims that never got a volume."""

from collections.abc import Iterator, Sequence

from ops.catalog.names import OWNED
from ops.cluster.apply import PRUNE_SECONDS, REPLACE_SECONDS, Pace, left_after
from ops.cluster.plan import Plan
from ops.errors import Failure
from ops.kube import byhand
from ops.kube.client import Client
from ops.kube.objects import Key, Object, condition, key_of, number, rows, text
from ops.kube.progress import Notice

_CLAIM = "PersistentVolumeClaim"


def running_jobs(client: Client, namespaces: Sequence[str]) -> list[Object]:
    """The Jobs of deploys that have not ended. One that something else made, such as a CronJob, is that one's."""
    resource = client.resource("batch/v1", "Job")
    found = client.each(lambda namespace: client.find(resource, namespace, labels=OWNED) if resource else [], namespaces)
    return [job for jobs in found for job in jobs if not rows(job, "metadata", "ownerReferences") and not _ended(job)]


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
    for key, claim in _claims(client, plan):
        pace.check()
        if _bound(claim):
            said.append(f"{key} stays, for it has a volume: `{_command(key)}` deletes both.")
        elif why := _remove(client, key, claim, PRUNE_SECONDS):
            said.append(f"{key} never had a volume, and stays ({why}): `{_command(key)}` deletes it.")
        else:
            pace.tell(Notice(key, "deleted", "it never had a volume"))
            said.append(f"{key} was deleted: it never had a volume.")
    return said


def named(client: Client, namespaces: Sequence[str], plan: Plan) -> Iterator[str]:
    """What stays where nothing is gone back to."""
    for job in running_jobs(client, namespaces):
        yield f"{key_of(job)} still runs: the next deploy waits for it."
    for key, claim in _claims(client, plan):
        if not _bound(claim):
            yield f"{key} has no volume yet. To ask for another one, delete it first: `{_command(key)}`."


def _ended(job: Object) -> bool:
    return any(text(condition(job, kind), "status") == "True" for kind in ("Complete", "Failed"))


def _claims(client: Client, plan: Plan) -> Iterator[tuple[Key, Object]]:
    """The claims that a plan made: its own, and those of a StatefulSet's templates."""
    resource = client.resource("v1", _CLAIM)
    for step in plan.steps:
        if step.action != "create" or resource is None:
            continue
        names = [step.key.name] if step.key.kind == _CLAIM else []
        if step.key.kind == "StatefulSet":
            templates = [text(t, "metadata", "name") for t in rows(step.manifest, "spec", "volumeClaimTemplates")]
            replicas = range(number(step.manifest, "spec", "replicas", default=1))
            names = [f"{template}-{step.key.name}-{n}" for template in templates for n in replicas]
        for name in names:
            if claim := client.get(resource, step.key.namespace, name):
                yield Key(_CLAIM, step.key.namespace, name), claim


def _bound(claim: Object) -> bool:
    return text(claim, "status", "phase") not in ("", "Pending") or bool(text(claim, "spec", "volumeName"))


def _remove(client: Client, key: Key, seen: Object, seconds: int) -> str:
    """Delete the very object that was seen, as it was seen (a claim may get its volume at this moment), and wait for that.

    A Job is gone when its pods are. Returns why the object is there still, or the empty string.
    """
    resource = client.by_key(key)
    assert resource is not None
    known = ("uid", "resourceVersion") if key.kind == _CLAIM else ("uid",)
    preconditions: Object = {name: text(seen, "metadata", name) for name in known}
    body: Object = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Foreground", "preconditions": preconditions}
    try:
        client.request("DELETE", resource.path(key.namespace, key.name), body=body)
        left = left_after(client, resource, key, seconds)
    except Failure as failure:
        return failure.cause
    return byhand.lingers(left) if left else ""


def _command(key: Key) -> str:
    return f"kubectl --namespace={key.namespace} delete pvc/{key.name}"

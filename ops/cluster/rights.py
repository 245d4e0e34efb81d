"""Whether this account may do what a plan will do and no dry run has tried: to delete, and to keep records and the lock.

https://kubernetes.io/docs/reference/access-authn-authz/authorization/#checking-api-access
"""

from ops.cluster.plan import Plan
from ops.kube import write
from ops.kube.client import ApiError, Client
from ops.kube.objects import Object, table

_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
# What every change does in the namespace of the records: verb, group, resource.
_ALWAYS = (
    *((verb, "", "secrets") for verb in ("create", "patch")),
    *((verb, "coordination.k8s.io", "leases") for verb in ("create", "update")),
)


def missing_rights(client: Client, plan: Plan, home: str) -> list[str]:
    """Every right that applying the plan needs and this account does not have."""
    if plan.empty:
        return []
    asked: list[tuple[str, Object]] = []
    for verb, group, resource in _ALWAYS:
        asked.append((f"{verb} {resource} in {home}", {"verb": verb, "group": group, "resource": resource, "namespace": home}))
    for step in plan.changes:
        kind = client.by_key(step.key) if step.action in ("delete", "replace") else None
        if kind:
            attributes: Object = {"verb": "delete", "group": step.key.group, "resource": kind.plural}
            asked.append((f"delete {step.key}", attributes | {"namespace": step.key.namespace, "name": step.key.name}))
    answers = client.each(lambda row: _allowed(client, row[1]), asked)
    return [f"this account may not {words}: ask for that right" for (words, _), allowed in zip(asked, answers, strict=True) if not allowed]


def _allowed(client: Client, attributes: Object) -> bool:
    body: Object = {"kind": "SelfSubjectAccessReview", "apiVersion": "authorization.k8s.io/v1", "spec": {"resourceAttributes": attributes}}
    try:
        return table(write.ask(client, _REVIEWS, body), "status").get("allowed") is True
    except ApiError:  # where it cannot be asked, the deploy will show it
        return True

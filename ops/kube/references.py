"""What objects name that must be there for them to work, kind by kind: a table, and what of it is missing in the cluster.

Secrets are in `needs.py`, since pods are restarted for their sake too.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from ops.kube.client import ApiError, Client
from ops.kube.objects import (
    Key,
    Object,
    annotations_of,
    containers_of,
    group_of,
    key_of,
    labels_of,
    pod_template,
    rows,
    selects,
    table,
    text,
)

_DEFAULT = "storageclass.kubernetes.io/is-default-class"
_RBAC = "rbac.authorization.k8s.io"


@dataclass(frozen=True, slots=True)
class ObjectReference:
    """That `by` names `to`, and in it a `part` (a key of a ConfigMap, a port of a Service).

    `fatal`: without it `by` cannot work at all; else it may be meant. `without`: what happens then.
    """

    by: Key
    to: Key
    without: str
    fatal: bool = True
    part: str = ""

    @property
    def named(self) -> str:
        """What is named, in words."""
        if self.to.kind == "StorageClass" and not self.to.name:
            return "a default StorageClass"
        return f"{self.to}, {_PARTS.get(self.to.kind, 'part')} {self.part}," if self.part else str(self.to)


@dataclass(frozen=True, slots=True)
class ReferencesFound:
    """What was looked for and is not among the wanted objects: what is `missing`, and what the cluster has `outside` of them."""

    missing: tuple[ObjectReference, ...] = ()
    outside: tuple[ObjectReference, ...] = ()
    idle: Mapping[Key, str] = field(default_factory=dict)  # what selects pods, and selects none


Lookup = Callable[[Key], "Object | None"]
_PARTS = {"ConfigMap": "key", "Service": "port"}


def references(manifest: Object) -> Iterator[ObjectReference]:
    """Everything that an object names."""
    key = key_of(manifest)
    template = pod_template(manifest)
    if template is not None:
        yield from _of_pods(key, template)
    for reader in _TABLE.get(key.kind, ()):
        yield from reader(key, manifest)


def look(
    client: Client, wanted: Iterable[Object], asked: Collection[Key], made: Collection[Key], namespaces: Collection[str]
) -> ReferencesFound:
    """What is not there of what the wanted objects name.

    What may be meant is looked for only on behalf of the objects `asked` about, which this change touches, and storage classes of
    those that are `made` by it. Nothing is asked of the cluster that is among the wanted objects.
    """
    wanted = list(wanted)
    own = {key_of(o): o for o in wanted}
    own |= {Key("Secret", key.namespace, key.name): o for key, o in own.items() if key.kind == "SealedSecret"}
    there = {*namespaces, *(key.name for key in own if key.kind == "Namespace")}
    named = [r for o in wanted for r in references(o) if r.by.namespace in there or not r.by.namespace]
    named = [r for r in named if r.fatal or r.by in asked]
    named = [r for r in named if r.to.kind != "StorageClass" or r.by in made]
    sought = sorted({r.to for r in named if r.to not in own})
    answers = dict(zip(sought, client.each(lambda key: _find(client, key), sought), strict=True))
    found = {**own, **answers}
    missing = tuple(r for r in named if not _has(found[r.to], r.part))
    outside = tuple(r for r in named if answers.get(r.to) not in (None, _UNKNOWN))
    return ReferencesFound(_without_bound(client, missing), outside, _idle(client, wanted, asked))


_UNKNOWN: Object = {"kind": "?"}  # nobody can say whether it is there


def _find(client: Client, key: Key) -> Object | None:
    resource = client.by_key(key)
    if resource is None:
        return _UNKNOWN
    try:
        if not key.name:
            return next((found for found in client.find(resource) if annotations_of(found).get(_DEFAULT) == "true"), None)
        return client.get(resource, key.namespace, key.name)
    except ApiError as error:
        if error.status == 403:
            return _UNKNOWN
        raise


def _has(target: Object | None, part: str) -> bool:
    """Whether something is there, with this part of it, as far as one may see."""
    if target is None or not part or target is _UNKNOWN:
        return target is not None
    if text(target, "kind") == "Service":
        return any(part in (text(port, "name"), str(port.get("port"))) for port in rows(target, "spec", "ports"))
    return part in {**table(target, "data"), **table(target, "binaryData")}


def _without_bound(client: Client, missing: tuple[ObjectReference, ...]) -> tuple[ObjectReference, ...]:
    """A storage class needs no object where somebody has made volumes of it by hand."""
    if not any(r.to.kind == "StorageClass" for r in missing):
        return missing
    kind = client.resource("v1", "PersistentVolume")
    try:
        classes = {text(volume, "spec", "storageClassName") for volume in client.find(kind)} if kind else set()
    except ApiError:  # without the right to see volumes nobody can say
        return tuple(r for r in missing if r.to.kind != "StorageClass")
    return tuple(r for r in missing if r.to.kind != "StorageClass" or r.to.name not in classes)


def _idle(client: Client, wanted: Iterable[Object], asked: Collection[Key]) -> dict[Key, str]:
    """What selects pods by labels that no pod has, and which labels those are."""
    wanted = list(wanted)
    templates = [(key_of(o).namespace, labels_of(template)) for o in wanted if (template := pod_template(o))]
    pods = client.resource("v1", "Pod")
    idle: dict[Key, str] = {}
    for manifest in wanted:
        key, selector = key_of(manifest), _selector(manifest)
        if key not in asked or not selector or any(n == key.namespace and selects(selector, labels) for n, labels in templates):
            continue
        words = ",".join(f"{k}={v}" for k, v in sorted(selector.items()))
        if pods and not _some(client, key.namespace, words):
            idle[key] = words
    return idle


def _some(client: Client, namespace: str, labels: str) -> bool:
    try:
        return bool(client.find(client.resource_of({"apiVersion": "v1", "kind": "Pod"}), namespace, labels=labels))
    except ApiError:
        return True


def _selector(manifest: Object) -> dict[str, str]:
    match text(manifest, "kind"):
        case "Service":
            found = table(manifest, "spec", "selector")
        case "PodDisruptionBudget" if not rows(manifest, "spec", "selector", "matchExpressions"):
            found = table(manifest, "spec", "selector", "matchLabels")
        case _:
            return {}
    return {k: v for k, v in found.items() if isinstance(v, str)}


# -- the table ----------------------------------------------------------------------------------------------------------------


def _of_pods(by: Key, template: Object) -> Iterator[ObjectReference]:
    spec = table(template, "spec")
    for name, keys in _config_maps(template):
        for part in keys or ("",):
            yield ObjectReference(by, Key("ConfigMap", by.namespace, name), "its pods cannot start", part=part)
    account = text(spec, "serviceAccountName") or text(spec, "serviceAccount")
    if account not in ("", "default"):
        yield ObjectReference(by, Key("ServiceAccount", by.namespace, account), "no pod of it can be made")
    for name, kind, group in (
        ("priorityClassName", "PriorityClass", "scheduling.k8s.io"),
        ("runtimeClassName", "RuntimeClass", "node.k8s.io"),
    ):
        if text(spec, name):
            yield ObjectReference(by, Key(kind, "", text(spec, name), group), "no pod of it can be made")
    for volume in rows(spec, "volumes"):
        if claim := text(volume, "persistentVolumeClaim", "claimName"):
            yield ObjectReference(by, Key("PersistentVolumeClaim", by.namespace, claim), "its pods cannot be placed")
        yield from _storage(by, table(volume, "ephemeral", "volumeClaimTemplate"))
    yield from _logins(by, spec)


def _config_maps(template: Object) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The ConfigMaps, with the keys, that pods cannot start without."""
    for container in containers_of(template):
        for source in rows(container, "envFrom"):
            yield from _one(table(source, "configMapRef"), ())
        for variable in rows(container, "env"):
            reference = table(variable, "valueFrom", "configMapKeyRef")
            yield from _one(reference, (text(reference, "key"),))
    for volume in rows(template, "spec", "volumes"):
        for source in (volume, *rows(volume, "projected", "sources")):
            config = table(source, "configMap")
            yield from _one(config, tuple(text(item, "key") for item in rows(config, "items")))


def _one(reference: Object, keys: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    if text(reference, "name") and reference.get("optional") is not True:
        yield text(reference, "name"), keys


def _logins(by: Key, holder: Object) -> Iterator[ObjectReference]:
    """Credentials for a registry: nodes may have their own."""
    for login in rows(holder, "imagePullSecrets"):
        if text(login, "name"):
            words = "nodes need credentials of their own for the registry"
            yield ObjectReference(by, Key("Secret", by.namespace, text(login, "name")), words, fatal=False)


def _storage(by: Key, claim: Object) -> Iterator[ObjectReference]:
    spec = table(claim, "spec")
    if spec and not text(spec, "volumeName") and spec.get("storageClassName") != "":  # "" is a volume that was made by hand
        yield ObjectReference(by, Key("StorageClass", "", text(spec, "storageClassName"), "storage.k8s.io"), "its claim gets no volume")


def _stateful_set(by: Key, manifest: Object) -> Iterator[ObjectReference]:
    for claim in rows(manifest, "spec", "volumeClaimTemplates"):
        yield from _storage(by, claim)
    if service := text(manifest, "spec", "serviceName"):
        yield ObjectReference(by, Key("Service", by.namespace, service), "its pods have no names of their own in DNS", fatal=False)


def _autoscaler(by: Key, manifest: Object) -> Iterator[ObjectReference]:
    target = table(manifest, "spec", "scaleTargetRef")
    key = Key(text(target, "kind"), by.namespace, text(target, "name"), group_of(text(target, "apiVersion")))
    yield ObjectReference(by, key, "it has nothing to scale")


def _ingress(by: Key, manifest: Object) -> Iterator[ObjectReference]:
    if name := text(manifest, "spec", "ingressClassName"):
        yield ObjectReference(by, Key("IngressClass", "", name, "networking.k8s.io"), "no controller may take it", fatal=False)
    paths = [path for rule in rows(manifest, "spec", "rules") for path in rows(rule, "http", "paths")]
    for backend in (table(manifest, "spec", "defaultBackend"), *(table(path, "backend") for path in paths)):
        service, port = text(backend, "service", "name"), table(backend, "service", "port")
        if service:
            part = text(port, "name") or str(port.get("number", ""))
            yield ObjectReference(
                by, Key("Service", by.namespace, service), "its requests are answered with an error", fatal=False, part=part
            )


def _binding(by: Key, manifest: Object) -> Iterator[ObjectReference]:
    role = table(manifest, "roleRef")
    kind = text(role, "kind")
    if kind in ("Role", "ClusterRole"):
        place = by.namespace if kind == "Role" else ""
        yield ObjectReference(by, Key(kind, place, text(role, "name"), _RBAC), "it gives no rights", fatal=False)


_TABLE: Mapping[str, tuple[Callable[[Key, Object], Iterator[ObjectReference]], ...]] = {
    "StatefulSet": (_stateful_set,),
    "PersistentVolumeClaim": (_storage,),
    "HorizontalPodAutoscaler": (_autoscaler,),
    "Ingress": (_ingress,),
    "ServiceAccount": (_logins,),
    "RoleBinding": (_binding,),
    "ClusterRoleBinding": (_binding,),
}

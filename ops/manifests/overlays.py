"""What an overlay gets from the catalogue: each service's settings, the least number of replicas, the hosts of the Ingress."""

import json

from ops import stores
from ops.catalog import Catalog, Environment, Job, Service
from ops.catalog.names import OWNED
from ops.config.local import Setting, derived, in_cluster
from ops.documents import Json
from ops.kube.objects import Object
from ops.manifests.base import NAME, config_name, ours
from ops.manifests.jobs import reads_settings
from ops.manifests.written import document

LISTENING = ("HOST", "PORT")  # a service has these from its contract; nobody in a cluster would give it others
INGRESS = "app.kubernetes.io/component=ingress"  # the Ingress that gets the hosts (k8s/base/ingress)


def configured(catalog: Catalog) -> "list[Service | Job]":
    """What has a ConfigMap: every service, and the jobs that read what is no secret."""
    return [*catalog.services.values(), *(job for job in catalog.other_jobs.values() if reads_settings(catalog, job))]


def settings(catalog: Catalog, environment: Environment, service: Service | Job) -> dict[str, str]:
    """The variables of a service or job in an environment, without its secrets: the environment's own values, and what follows from
    addresses and defaults. What is empty is left out, as the contract reads it."""
    known = {name: value.reveal() for name, value in derived(catalog, Setting(in_cluster(catalog), {}, {}, "")).items()}
    known["CORS_ORIGINS"] = f"https://{environment.domain}"
    return {
        variable.name: value
        for variable in catalog.variables_of(service.name)
        if not variable.secret and variable.name not in LISTENING
        if (value := variable.environments.get(environment.name) or known.get(variable.name) or variable.default)
    }


def component(catalog: Catalog, environment: Environment) -> Object:
    """The kustomize Component with what is the environment's own, for its overlay."""
    return {
        "apiVersion": "kustomize.config.k8s.io/v1alpha1",
        "kind": "Component",
        # Another value is another name: nobody edits one under the pods that read it.
        "generatorOptions": {"immutable": True},
        "configMapGenerator": [_config(catalog, service) for service in configured(catalog)],
        "patches": [
            _label(environment),
            *_hosts(catalog, environment),
            *_replicas(catalog, environment),
            *_sizes(catalog, environment),
            *_profiles(catalog, environment),
        ],
    }


def _config(catalog: Catalog, service: Service | Job) -> Object:
    labels: Object = {NAME: service.name, **ours(catalog)}
    return {
        "name": config_name(service.name),
        "namespace": service.namespace,
        "envs": [f"{service.name}.env"],
        "options": {"labels": labels},
    }


def _label(environment: Environment) -> Object:
    where = f"/metadata/labels/{OWNED.replace('/', '~1')}"
    return _patch({"kind": "Namespace"}, {"op": "add", "path": where, "value": environment.name})


def _replicas(catalog: Catalog, environment: Environment) -> list[Json]:
    least = {service.name: service.replicas.get(environment.name, 1) for service in catalog.services.values()}
    return [
        _patch({"kind": "HorizontalPodAutoscaler", "name": name}, {"op": "replace", "path": "/spec/minReplicas", "value": count})
        for name, count in least.items()
        if count > 1
    ]


def _sizes(catalog: Catalog, environment: Environment) -> list[Json]:
    """What the pod of a store is given, and how large its volume is, where the catalogue says so for the environment."""
    patches: list[Json] = []
    for store in catalog.stores.values():
        operations: list[Object] = []
        if environment.name in store.resources:
            given = stores.resources(store, environment.name)
            value: Object = {"requests": {**given.requests}, "limits": {**given.limits}}
            operations.append({"op": "replace", "path": "/spec/template/spec/containers/0/resources", "value": value})
        if size := store.storage.get(environment.name):
            where = "/spec/volumeClaimTemplates/0/spec/resources/requests/storage"
            operations.append({"op": "replace", "path": where, "value": size})
        if operations:
            patches.append(_patch({"kind": "StatefulSet", "name": store.name}, *operations))
    return patches


def _profiles(catalog: Catalog, environment: Environment) -> list[Json]:
    """What the StatefulSet of a store has otherwise where it is replicated, as its kind says it."""
    patches: list[Json] = []
    for store in catalog.stores.values():
        kind = stores.of(store)
        if store.profiles.get(environment.name) == "replicated" and kind.replicated:
            changed: Object = {
                "apiVersion": "apps/v1",
                "kind": "StatefulSet",
                "metadata": {"name": store.name, "namespace": store.namespace},
                "spec": json.loads(json.dumps(kind.replicated(store))),
            }
            patches.append({"target": {"kind": "StatefulSet", "name": store.name}, "patch": document(changed)})
    return patches


def _hosts(catalog: Catalog, environment: Environment) -> list[Json]:
    """Each host name with the paths that lead to services, in the order of the catalogue."""
    paths: dict[str, list[Json]] = {}
    for service in catalog.services.values():
        host = service.ingress and {"domain": environment.domain, "api": environment.api}[service.ingress.host]
        if service.ingress and host:
            backend: Object = {"service": {"name": service.name, "port": {"name": "http"}}}
            paths.setdefault(host, []).append({"path": service.ingress.path, "pathType": "Prefix", "backend": backend})
    if not paths:
        return []
    rules: list[Json] = [{"host": host, "http": {"paths": found}} for host, found in paths.items()]
    hosts: Object = {"op": "add", "path": "/spec/tls/0/hosts", "value": list(paths)}
    return [_patch({"kind": "Ingress", "labelSelector": INGRESS}, hosts, {"op": "add", "path": "/spec/rules", "value": rules})]


def _patch(target: Object, *operations: Object) -> Object:
    return {"target": target, "patch": document(list(operations))}

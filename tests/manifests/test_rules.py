"""The check of manifests: a small platform that agrees with its catalogue, then each fact that a rule looks at, broken once."""

import ast
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from ops.catalog import Catalog, Database, Environment, Job, Service, Stack, Store, Variable
from ops.config import sidecar
from ops.manifests import RULES, problems
from ops.manifests.scene import RuleInput

Tree = dict[str, Any]

STACK = Stack("go", "go.Dockerfile", {}, (), 1001)
API = Service(
    "api",
    STACK,
    "services/api",
    "go.Dockerfile",
    "app",
    needs=("db",),
    port=8080,
    health="/health",
    ready="/ready",
    replicas={"staging": 2},
)
MIGRATE = Job("migrate", STACK, "ops/database", "m.Dockerfile", "app", needs=("db",))
SWEEP = Job("sweep", STACK, "services/sweep", "go.Dockerfile", "app", needs=("api",), schedule="15 3 * * *", time_zone="Etc/UTC")
DB = Store("db", "postgres:17", 5432, 15432, "data", "/data")
STAGING = Environment("staging", "kubernetes", "www.example.com", "api.example.com", "k8s/overlays/staging")
CATALOG = Catalog(
    root=Path("/nowhere"),
    platform="p",
    registry="registry.example.com",
    prefix="p",
    nodes="linux/amd64",
    stacks={"go": STACK},
    services={"api": API},
    jobs={"migrate": MIGRATE, "sweep": SWEEP},
    stores={"db": DB},
    namespaces=("app", "data"),
    database=Database("db", "d", "u", "m", "migrate"),
    environments={"staging": STAGING},
    variables={
        v.name: v
        for v in (
            Variable("LOG_LEVEL", "Level", ("all",), "enum", default="info", values=("debug", "info")),
            Variable("DB_URL", "Where the database is", ("api", "migrate"), "url", required=True, secret=True),
            Variable("ORIGINS", "Who may call", ("api",), "list", required=True),
            Variable("SCRATCH_DATABASE_URL", "Where migrations are tried", ("migrate",), "url"),
            Variable("API_URL", "Where the api is", ("sweep",), "url", required=True),
            Variable("DB_PASSWORD", "Password", ("db",), required=True, secret=True),
        )
    },
)


def thing(kind: str, name: str, namespace: str | None, **rest: object) -> Tree:
    metadata: Tree = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"kind": kind, "metadata": metadata, **rest}


def pod(name: str, image: str, **container: object) -> Tree:
    security = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    resources = {"requests": {"cpu": "10m", "memory": "16Mi"}}
    main = {"name": name, "image": image, "securityContext": security, "resources": resources, **container}
    spec = {"serviceAccountName": name, "automountServiceAccountToken": False, "securityContext": {"runAsUser": 1001}, "containers": [main]}
    return {"metadata": {"labels": {"app.kubernetes.io/name": name}}, "spec": spec}


def probe(path: str) -> Tree:
    return {"httpGet": {"path": path, "port": "http"}}


def policy(name: str, namespace: str, *readers: str) -> Tree:
    if not readers:
        dns = {"to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}]}
        return thing("NetworkPolicy", name, namespace, spec={"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "egress": [dns]})
    place = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "app"}}}
    peers = [{**place, "podSelector": {"matchLabels": {"app.kubernetes.io/name": reader}}} for reader in readers]
    selector = {"matchLabels": {"app.kubernetes.io/name": name}}
    return thing("NetworkPolicy", name, namespace, spec={"podSelector": selector, "ingress": [{"from": peers}]})


def way_out(name: str, target: str, place: str, port: int) -> Tree:
    """A NetworkPolicy that lets a workload send to another."""
    peer = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": place}},
        "podSelector": {"matchLabels": {"app.kubernetes.io/name": target}},
    }
    rule = {"to": [peer], "ports": [{"protocol": "TCP", "port": port}]}
    selector = {"matchLabels": {"app.kubernetes.io/name": name}}
    return thing("NetworkPolicy", f"{name}-out", "app", spec={"podSelector": selector, "policyTypes": ["Egress"], "egress": [rule]})


def budget(name: str, namespace: str) -> Tree:
    selector = {"matchLabels": {"app.kubernetes.io/name": name}}
    return thing("PodDisruptionBudget", name, namespace, spec={"maxUnavailable": 1, "selector": selector})


def door(name: str, place: str, port: int, labels: Tree, controller: str = "controller") -> Tree:
    """A NetworkPolicy that lets the ingress controller in."""
    peer = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": controller}}}
    rule = {"from": [peer], "ports": [{"protocol": "TCP", "port": port}]}
    return thing("NetworkPolicy", name, place, spec={"podSelector": {"matchLabels": labels}, "ingress": [rule]})


def platform() -> dict[str, Tree]:
    """A platform without a problem. Keys are for the tests' use."""
    api = pod(
        "api",
        "registry.example.com/p/api",
        ports=[{"name": "http", "containerPort": 8080}],
        envFrom=[{"configMapRef": {"name": "api-config-x1"}}, {"secretRef": {"name": "api-secrets"}}],
        readinessProbe=probe("/ready"),
        livenessProbe=probe("/health"),
        startupProbe=probe("/health"),
    )
    own = {"matchLabels": {"app.kubernetes.io/name": "api"}}
    api["spec"]["topologySpreadConstraints"] = [{"topologyKey": "kubernetes.io/hostname", "labelSelector": own}]
    tried = [{"name": "SCRATCH_DATABASE_URL", "value": sidecar.URL}]
    migrate = pod("migrate", "registry.example.com/p/migrate", env=tried, envFrom=[{"secretRef": {"name": "migrate-secrets"}}])
    beside = pod(
        "scratch",
        "postgres:17",
        restartPolicy="Always",
        command=list(sidecar.COMMAND),
        startupProbe={"exec": {"command": list(sidecar.READY)}},
        resources={"requests": {"cpu": "1", "memory": "1"}, "limits": {"cpu": "1", "memory": "1"}},
        volumeMounts=[{"name": "scratch", "mountPath": sidecar.HOME}],
    )
    migrate["spec"] |= {
        "initContainers": beside["spec"]["containers"],
        "volumes": [{"name": "scratch", "emptyDir": {"sizeLimit": "1Gi"}}],
    }
    sweep = pod("sweep", "registry.example.com/p/sweep", env=[{"name": "API_URL", "value": "http://api.app:8080"}])
    times = {"schedule": "15 3 * * *", "timeZone": "Etc/UTC", "jobTemplate": {"spec": {"template": sweep}}}
    password = {"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db-secrets", "key": "DB_PASSWORD"}}}
    env = [{"name": "POSTGRES_DB", "value": "d"}, password]
    db = pod("db", "postgres:17", ports=[{"containerPort": 5432}], env=env, readinessProbe={"exec": {"command": ["pg_isready"]}})
    data = {"app.kubernetes.io/name": "db"}
    target = {"kind": "Deployment", "name": "api"}
    backend = {"service": {"name": "api", "port": {"number": 8080}}}
    rules = [{"host": host, "http": {"paths": [{"backend": backend}]}} for host in ("www.example.com", "api.example.com")]
    off = {"automountServiceAccountToken": False}
    login = {"imagePullSecrets": [{"name": "registry"}]}
    ingress = thing("Ingress", "web", "app", spec={"rules": rules, "ingressClassName": "c"})
    ingress["metadata"] = {"name": "web", "namespace": "app", "annotations": {"cert-manager.io/cluster-issuer": "acme"}}
    issuer = thing("ClusterIssuer", "acme", None, spec={"acme": {"solvers": [{"http01": {"ingress": {"ingressClassName": "c"}}}]}})
    issuer["metadata"] = {"name": "acme", "labels": {"app.kubernetes.io/name": "cert-manager"}}
    restricted = {"pod-security.kubernetes.io/enforce": "restricted"}
    labelled = {"labels": {"app.kubernetes.io/name": "api"}}
    config = thing("ConfigMap", "api-config-x1", "app", data={"LOG_LEVEL": "info", "ORIGINS": "https://www.example.com"})
    config["metadata"] = {**labelled, "name": "api-config-x1", "namespace": "app"}
    return {
        "ns app": {"kind": "Namespace", "metadata": {"name": "app", "labels": restricted}},
        "ns data": {"kind": "Namespace", "metadata": {"name": "data", "labels": restricted}},
        "api": thing("Deployment", "api", "app", spec={"template": api, "selector": own}),
        "api service": thing(
            "Service", "api", "app", spec={"selector": {"app.kubernetes.io/name": "api"}, "ports": [{"port": 8080, "targetPort": "http"}]}
        ),
        "hpa": thing("HorizontalPodAutoscaler", "api", "app", spec={"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 5}),
        "api account": thing("ServiceAccount", "api", "app", **off, **login),
        "config": config,
        "migrate": thing("Job", "migrate", "app", spec={"template": migrate}),
        "migrate account": thing("ServiceAccount", "migrate", "app", **off, **login),
        "sweep": thing("CronJob", "sweep", "app", spec=times),
        "sweep account": thing("ServiceAccount", "sweep", "app", **off, **login),
        "db": thing("StatefulSet", "db", "data", spec={"template": db, "selector": {"matchLabels": data}, "serviceName": "db"}),
        "api out": way_out("api", "db", "data", 5432),
        "migrate out": way_out("migrate", "db", "data", 5432),
        "sweep out": way_out("sweep", "api", "app", 8080),
        "api policy": policy("api", "app", "sweep"),
        "api budget": budget("api", "app"),
        "db budget": budget("db", "data"),
        "db service": thing("Service", "db", "data", spec={"selector": data, "ports": [{"port": 5432}], "clusterIP": "None"}),
        "db account": thing("ServiceAccount", "db", "data", **off),
        "db policy": policy("db", "data", "api", "migrate"),
        "deny app": policy("default-deny", "app"),
        "deny data": policy("default-deny", "data"),
        "ingress": ingress,
        "issuer": issuer,
        "api door": door("api", "app", 8080, {"app.kubernetes.io/name": "api"}),
        "solver door": door("solver", "app", 8089, {"acme.cert-manager.io/http01-solver": "true"}),
    }


def dig(tree: object, path: str) -> object:
    for key in path.split("/"):
        tree = tree[int(key)] if isinstance(tree, list) else tree[key]  # type: ignore[index]
    return tree


def put(path: str, value: object) -> Callable[[dict[str, Tree]], None]:
    """A change: set what lies at a path (its first part is a key of `platform`)."""

    def change(objects: dict[str, Tree]) -> None:
        parent, _, last = path.rpartition("/")
        found = dig(objects, parent) if parent else objects
        if isinstance(found, list):
            found[int(last)] = value
        else:
            assert isinstance(found, dict)
            found[last] = value

    return change


def drop(path: str) -> Callable[[dict[str, Tree]], None]:
    """A change: take away what lies at a path."""

    def change(objects: dict[str, Tree]) -> None:
        parent, _, last = path.rpartition("/")
        found = dig(objects, parent) if parent else objects
        del found[int(last) if isinstance(found, list) else last]  # type: ignore[attr-defined]

    return change


POD = "api/spec/template/spec"
SWEEPS = "sweep/spec/jobTemplate/spec/template/spec"
ADDRESS = f"{SWEEPS}/containers/0/env/0/value"
SECOND = {
    "kind": "Service",
    "metadata": {"name": "api-all", "namespace": "app", "labels": {"app.kubernetes.io/name": "api"}},
    "spec": {"selector": {"app.kubernetes.io/name": "api"}, "ports": [{"port": 80, "targetPort": "http"}]},
}
SOMEBODY = {"matchLabels": {"app.kubernetes.io/name": "somebody"}}
MAIN = f"{POD}/containers/0"
DEPLOYMENT = "k8s/base/api/derived.yaml: Deployment api"
TRIAL = "migrate/spec/template/spec"
MIGRATION = "k8s/base/migrate/derived.yaml: Job migrate"
OVERLAY = "k8s/overlays/staging"
CONFIG = f"{OVERLAY}/derived/api.env: ConfigMap api-config-x1"
INIT = {
    "name": "wait",
    "image": "busybox:1",
    **{k: v for k, v in pod("x", "y")["spec"]["containers"][0].items() if k not in {"name", "image"}},
}
CRON = {"jobTemplate": {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "dump:1"}]}}}}}

BROKEN: list[tuple[Callable[[dict[str, Tree]], None], str, str]] = [
    # where migrations are tried
    (
        drop(f"{TRIAL}/initContainers"),
        "trial",
        f"{MIGRATION} has no init container scratch: its migrations would be judged by their text alone",
    ),
    (
        drop(f"{TRIAL}/initContainers/0/restartPolicy"),
        "trial",
        f"{MIGRATION} has no restartPolicy: Always, and so ends before the migrations",
    ),
    (
        put(f"{TRIAL}/initContainers/0/image", "postgres:16"),
        "trial",
        f"{MIGRATION} runs postgres:16; the environment's database runs postgres:17",
    ),
    (put(f"{TRIAL}/initContainers/0/command", ["postgres"]), "trial", f"{MIGRATION} has another command than ops/config/sidecar.py"),
    (drop(f"{TRIAL}/initContainers/0/startupProbe"), "trial", f"{MIGRATION} has no startupProbe that runs pg_isready"),
    (
        put(f"{TRIAL}/initContainers/0/envFrom", [{"secretRef": {"name": "migrate-secrets"}}]),
        "trial",
        f"{MIGRATION} is given variables: it needs none",
    ),
    (
        put(f"{TRIAL}/initContainers/0/ports", [{"containerPort": 5433}]),
        "trial",
        f"{MIGRATION} has ports: it answers nobody outside its pod",
    ),
    (put(f"{TRIAL}/volumes/0/emptyDir", {}), "trial", f"{MIGRATION} has no emptyDir with a sizeLimit at {sidecar.HOME}"),
    (drop(f"{TRIAL}/initContainers/0/resources/limits"), "trial", f"{MIGRATION} has no limit of cpu and memory (container scratch)"),
    (drop(f"{TRIAL}/initContainers/0/securityContext"), "security", f"{MIGRATION} has no readOnlyRootFilesystem: true (container scratch)"),
    (drop(f"{TRIAL}/containers/0/env"), "trial", f"{MIGRATION} does not give migrate SCRATCH_DATABASE_URL={sidecar.URL}"),
    # what runs
    (drop("api"), "workloads", "k8s/base/api: api is in platform.yaml, and no workload of staging runs it"),
    (drop("db"), "workloads", "k8s/base/stores/db: db is in platform.yaml, and no workload of staging runs it"),
    (put("api/metadata/namespace", "data"), "workloads", f"{DEPLOYMENT} is in namespace data; platform.yaml says app"),
    (
        put(f"{MAIN}/image", "registry.example.com/p/migrate"),
        "workloads",
        f"{DEPLOYMENT} runs registry.example.com/p/migrate; platform.yaml says",
    ),
    (
        put("other", thing("Deployment", "other", "app", spec={})),
        "workloads",
        "Deployment other is no service, job or store of platform.yaml",
    ),
    # images
    (put(f"{MAIN}/image", "registry.example.com/p/api:v1"), "images", f"{DEPLOYMENT} names a tag in registry.example.com/p/api:v1"),
    (put(f"{MAIN}/image", "registry.example.com/p/api@md5:1"), "images", "whose digest is no sha256"),
    (put(f"{POD}/initContainers", [INIT]), "images", f"{DEPLOYMENT} names the image busybox:1, which platform.yaml has neither"),
    (
        put("cron", thing("CronJob", "dump", "app", spec=CRON)),
        "images",
        "CronJob dump names the image dump:1, which platform.yaml has neither",
    ),
    (put(f"{POD}/volumes", [{"name": "v", "image": {"reference": "model:1"}}]), "images", "names the image model:1"),
    # namespaces
    (drop("ns data"), "namespaces", "k8s/base/derived/namespaces.yaml: Namespace data is missing"),
    (put("ns app/metadata/labels", {}), "namespaces", "Namespace app has no label pod-security.kubernetes.io/enforce: restricted"),
    (put("hpa/metadata/namespace", "elsewhere"), "namespaces", "is in namespace elsewhere, which is not in platform.yaml"),
    (
        put("ns more", thing("Namespace", "more", None)),
        "namespaces",
        "k8s/base/derived/namespaces.yaml: Namespace more is not in platform.yaml",
    ),
    # schedules
    (put("sweep/kind", "Job"), "schedules", "Job sweep is wrong: by platform.yaml sweep has a schedule"),
    (put("sweep/spec/schedule", "15 4 * * *"), "schedules", "CronJob sweep has the schedule 15 4 * * *; platform.yaml says 15 3 * * *"),
    (drop("sweep/spec/timeZone"), "schedules", "CronJob sweep has the timeZone (none); platform.yaml says Etc/UTC"),
    (put("sweep/spec/suspend", True), "schedules", "CronJob sweep is suspended, and so never runs"),
    # ports
    (put(f"{MAIN}/ports/0/containerPort", 8081), "ports", f"{DEPLOYMENT} has no containerPort 8080"),
    (drop("api service"), "ports", "k8s/base/api/derived.yaml: Service api is missing in namespace app"),
    (put("api service/spec/ports/0/port", 80), "ports", "k8s/base/api/derived.yaml: Service api has no port 8080"),
    (put("api service/spec/ports/0/targetPort", "grpc"), "ports", "sends to targetPort grpc, which is not the container's port 8080"),
    (put("api service/spec/selector", {"app": "api"}), "ports", "Service api selects no pod of api"),
    # probes
    (drop(f"{MAIN}/readinessProbe"), "probes", f"{DEPLOYMENT} has no readinessProbe"),
    (
        drop("db/spec/template/spec/containers/0/readinessProbe"),
        "probes",
        "k8s/base/stores/db/derived.yaml: StatefulSet db has no readinessProbe (container db)",
    ),
    (
        put(f"{POD}/initContainers", [{**INIT, "restartPolicy": "Always"}]),
        "probes",
        f"{DEPLOYMENT} has no readinessProbe (container wait)",
    ),
    (drop(f"{MAIN}/startupProbe"), "probes", f"{DEPLOYMENT} has no startupProbe"),
    (put(f"{MAIN}/readinessProbe/httpGet/path", "/health"), "probes", "asks /health in its readinessProbe; platform.yaml says /ready"),
    (put(f"{MAIN}/livenessProbe/httpGet/path", "/ready"), "probes", "asks /ready in its livenessProbe; platform.yaml says /health"),
    (put(f"{MAIN}/livenessProbe/httpGet/port", 9), "probes", "asks port 9 in its livenessProbe; platform.yaml says 8080"),
    # replicas
    (put("api/spec/replicas", 2), "replicas", f"{DEPLOYMENT} sets replicas: 2, which its HorizontalPodAutoscaler owns"),
    (
        put("hpa/spec/minReplicas", 1),
        "replicas",
        f"{OVERLAY}/kustomization.yaml: HorizontalPodAutoscaler api has minReplicas 1; platform.yaml says 2",
    ),
    (put("hpa/spec/maxReplicas", 1), "replicas", "has maxReplicas 1, less than minReplicas 2"),
    (drop("hpa"), "replicas", f"{OVERLAY}/kustomization.yaml: api runs 1 replicas; platform.yaml says 2"),
    # variables
    (
        drop("config/data/ORIGINS"),
        "variables",
        f"{DEPLOYMENT} is not given ORIGINS (Who may call): it is required; put it under `environments` in platform.yaml",
    ),
    (
        drop(f"{MAIN}/envFrom/1"),
        "variables",
        f"{DEPLOYMENT} is not given DB_URL (Where the database is): it is required; put it in Secret api-secrets",
    ),
    (
        put("config/data/DB_URL", "postgres://x"),
        "variables",
        f"{CONFIG} gives api the secret DB_URL in the open",
    ),
    (
        put("config/data/SPEED", "9"),
        "variables",
        f"{CONFIG} gives api the variable SPEED, which it does not read",
    ),
    (put("config/data/LOG_LEVEL", "loud"), "variables", "gives api LOG_LEVEL=loud: must be one of debug, info"),
    (put("config/data/ORIGINS", ""), "variables", "gives api ORIGINS=: is empty, and required"),
    (
        put("secret", thing("Secret", "api-secrets", "app", data={"DB_URL": "", "ORIGINS": ""})),
        "variables",
        "gives api ORIGINS by a Secret; it is no secret",
    ),
    (put("secret", thing("Secret", "api-secrets", "app", data={})), "variables", "is not given DB_URL"),
    (put(f"{MAIN}/envFrom/1/secretRef/name", "db-secrets"), "variables", f"{DEPLOYMENT} reads Secret db-secrets; its own is api-secrets"),
    (
        put(f"{MAIN}/envFrom/0/configMapRef/name", "api-config"),
        "variables",
        f"{DEPLOYMENT} reads ConfigMap api-config, which no manifest has",
    ),
    (
        put("db/spec/template/spec/containers/0/env/1/valueFrom/secretKeyRef/key", "PASS"),
        "variables",
        "StatefulSet db reads key PASS of Secret db-secrets",
    ),
    (
        put("db/spec/template/spec/containers/0/env/1", {"name": "DB_PASSWORD", "value": "x"}),
        "variables",
        "gives db the secret DB_PASSWORD in the open",
    ),
    (
        drop("migrate/spec/template/spec/containers/0/envFrom"),
        "variables",
        "k8s/base/migrate/derived.yaml: Job migrate is not given DB_URL",
    ),
    # security
    (put("api account/automountServiceAccountToken", True), "accounts", "ServiceAccount api has no automountServiceAccountToken: false"),
    (drop(f"{POD}/automountServiceAccountToken"), "accounts", f"{DEPLOYMENT} has no automountServiceAccountToken: false"),
    (
        drop("migrate account/imagePullSecrets"),
        "accounts",
        "k8s/components/registry/kustomization.yaml: ServiceAccount migrate has no imagePullSecrets with registry",
    ),
    (drop("api account"), "accounts", f"{DEPLOYMENT} runs as ServiceAccount api, which no manifest has"),
    (
        put(f"{POD}/serviceAccountName", "migrate"),
        "accounts",
        f"{DEPLOYMENT} runs as ServiceAccount migrate, which is another's; its own is api",
    ),
    (put(f"{POD}/hostNetwork", True), "security", f"{DEPLOYMENT} uses hostNetwork"),
    (put(f"{POD}/volumes", [{"name": "v", "hostPath": {"path": "/etc"}}]), "security", f"{DEPLOYMENT} mounts the node's /etc"),
    (put(f"{POD}/securityContext/runAsUser", 7), "security", f"{DEPLOYMENT} runs as user 7; platform.yaml says 1001 for the stack go"),
    (put(f"{POD}/securityContext/runAsUser", 0), "security", "has no numeric runAsUser other than 0"),
    (drop(f"{MAIN}/securityContext/allowPrivilegeEscalation"), "security", "has no allowPrivilegeEscalation: false"),
    (put(f"{MAIN}/securityContext/privileged", True), "security", "is privileged"),
    (put(f"{MAIN}/securityContext/readOnlyRootFilesystem", False), "security", "has no readOnlyRootFilesystem: true"),
    (drop(f"{MAIN}/securityContext/runAsNonRoot"), "security", "has no runAsNonRoot: true"),
    (put(f"{MAIN}/securityContext/capabilities", {}), "security", "does not drop ALL capabilities"),
    (put(f"{MAIN}/securityContext/capabilities/add", ["SYS_ADMIN"]), "security", "adds the capabilities SYS_ADMIN"),
    (drop(f"{MAIN}/securityContext/seccompProfile"), "security", "has no seccompProfile RuntimeDefault"),
    (drop(f"{MAIN}/resources"), "security", f"{DEPLOYMENT} requests no cpu and no memory (container api)"),
    # who may reach what
    (drop("deny data"), "policies", "k8s/components/default-deny/derived.yaml: namespace data has no NetworkPolicy that denies by default"),
    (drop("db policy"), "reach", "k8s/base/derived/policies.yaml: no NetworkPolicy of db lets in api, which needs db"),
    (put("db policy", policy("db", "data", "api")), "reach", "no NetworkPolicy of db lets in migrate, which needs db"),
    (put("db policy/spec/ingress", [{}]), "reach", "a NetworkPolicy lets everybody in the cluster reach db"),
    (drop("api out/spec/egress/0/to"), "reach", "a NetworkPolicy lets api send to everybody in the cluster, port 5432"),
    (
        put("more", way_out("sweep", "db", "data", 5432)),
        "reach",
        "a NetworkPolicy lets sweep send to db, port 5432, which it does not need",
    ),
    (drop("sweep out"), "reach", "no NetworkPolicy lets sweep send to api, port 8080, which it needs by platform.yaml"),
    (
        put("db policy", policy("db", "data", "api", "migrate", "sweep")),
        "reach",
        "a NetworkPolicy of db lets in sweep, which does not need db",
    ),
    (drop("deny data"), "restricted", "k8s/components/default-deny/derived.yaml: no NetworkPolicy bounds what db sends"),
    (put("deny app/spec/egress", []), "names", "default-deny/derived.yaml: no pod in app can ask for names: UDP port 53 of kube-system"),
    # addresses
    (put(ADDRESS, "http://api.data:8080"), "addresses", "gives sweep API_URL=http://api.data:8080: no Service api is in namespace data"),
    (put(ADDRESS, "http://db.data:5432"), "addresses", "gives sweep API_URL=http://db.data:5432: that is db, not api"),
    (put(ADDRESS, "http://api.app:1"), "addresses", "gives sweep API_URL=http://api.app:1: Service api has no port 1"),
    (put("config/data/ORIGINS", "http://api.app:8080"), "addresses", "by platform.yaml api does not need api"),
    # what selects
    (put("api/spec/selector", SOMEBODY), "selectors", f"{DEPLOYMENT} does not select its own pods"),
    (put("db/spec/serviceName", "somebody"), "selectors", "has the serviceName somebody, which is no Service with clusterIP: None here"),
    (put("api service/spec/selector", SOMEBODY["matchLabels"]), "selectors", "Service api selects the pods of nobody; its own are api's"),
    (put("api service/spec/ports/0/targetPort", 9), "selectors", "Service api sends port 8080 to a port that api does not have"),
    (put("more", SECOND), "selectors", "Service api-all has no port 8080, which is api's port in platform.yaml"),
    (put("api budget/spec/selector", SOMEBODY), "budgets", "PodDisruptionBudget api selects the pods of nobody; its own are api's"),
    (drop("db budget"), "budgets", "k8s/base/stores/db/derived.yaml: no PodDisruptionBudget selects the pods of db"),
    (drop(f"{POD}/topologySpreadConstraints"), "spread", f"{DEPLOYMENT} has no topologySpreadConstraint over nodes"),
    (
        put(f"{POD}/topologySpreadConstraints/0/labelSelector", SOMEBODY),
        "spread",
        f"{DEPLOYMENT} is spread over kubernetes.io/hostname by a selector that its own pods do not have",
    ),
    (put("hpa/spec/scaleTargetRef/name", "somebody"), "autoscalers", "scales Deployment somebody, which no manifest has"),
    (
        put("hpa/metadata/labels", {"app.kubernetes.io/name": "somebody"}),
        "autoscalers",
        "HorizontalPodAutoscaler api scales api; its own is somebody",
    ),
    # routes
    (put("ingress/spec/rules/1/host", "api.example.org"), "routes", "no Ingress has the host api.example.com"),
    (
        put("ingress/spec/rules/0/http/paths/0/backend/service/port/number", 80),
        "routes",
        "sends www.example.com to api {'number': 80}, which no Service has",
    ),
    # certificates, and the way in
    (
        drop("issuer"),
        "certificates",
        "k8s/base/ingress/ingress.yaml: Ingress web has its certificate from ClusterIssuer acme, which no manifest has",
    ),
    (
        put("issuer/spec/acme/solvers/0/http01/ingress/ingressClassName", "nginx"),
        "certificates",
        "k8s/base/cert-manager/cluster-issuer.yaml: ClusterIssuer acme goes through nginx; Ingress web is c's",
    ),
    (
        put("ingress/spec/tls", [{"secretName": "c"}]),
        "certificates",
        "k8s/base/ingress/ingress.yaml: Ingress web has a certificate, and not the annotation",
    ),
    (drop("issuer/spec/acme/solvers"), "certificates", "ClusterIssuer acme goes through no Ingress; Ingress web is c's"),
    (
        drop("solver door"),
        "entrance",
        "k8s/base/cert-manager/networkpolicy.yaml: no NetworkPolicy lets the ingress controller to cert-manager's solver",
    ),
    (put("solver door/spec/ingress/0/ports/0/port", 80), "entrance", "lets the ingress controller to cert-manager's solver, port 8089"),
    (drop("api door"), "entrance", "k8s/base/derived/policies.yaml: no NetworkPolicy lets the ingress controller to api, port 8080"),
    (
        put("api door", door("api", "app", 8080, {"app.kubernetes.io/name": "api"}, "")),
        "entrance",
        "lets the ingress controller to api, port 8080",
    ),
    (
        put("api door", door("api", "app", 8080, {"app.kubernetes.io/name": "api"}, "data")),
        "entrance",
        "lets the ingress controller to api, port 8080",
    ),
    (
        put("api door", door("api", "app", 8080, {"app.kubernetes.io/name": "api"}, "other")),
        "entrance",
        "k8s/base/cert-manager/networkpolicy.yaml: the ingress controller is in several namespaces: controller, other",
    ),
]


def said_by(rule: str, change: Callable[[dict[str, Tree]], None] | None = None, catalog: Catalog = CATALOG) -> list[str]:
    """What one rule says of the platform after a change."""
    objects = platform()
    if change:
        change(objects)
    (one,) = [known for known in RULES if known.__name__ == rule]
    return list(one(RuleInput(catalog, STAGING, tuple(objects.values()))))


def found(change: Callable[[dict[str, Tree]], None] | None = None) -> list[str]:
    objects = platform()
    if change:
        change(objects)
    return problems(CATALOG, STAGING, objects.values())


def test_a_platform_that_agrees_with_its_catalogue_has_no_problem() -> None:
    assert found() == []


@pytest.mark.parametrize(("change", "rule", "expected"), BROKEN, ids=[expected[-60:] for _, _, expected in BROKEN])
def test_each_disagreement_is_named_by_its_rule(change: Callable[[dict[str, Tree]], None], rule: str, expected: str) -> None:
    assert any(expected in problem for problem in said_by(rule, change)), found(change)


def test_what_is_needed_and_has_no_address_is_named() -> None:
    variables = {name: variable for name, variable in CATALOG.variables.items() if name != "API_URL"}
    said = said_by("addresses", catalog=replace(CATALOG, variables=variables))
    assert said == ["platform.yaml: sweep needs api, and reads no API_URL"]


def test_every_fact_that_a_rule_looks_at_is_broken_by_one_of_these() -> None:
    """Each `yield` of a problem in the rules' modules is reached: a new fact needs a row above."""
    reached: set[tuple[str, int]] = set()

    def line(frame: FrameType, event: str, _: object) -> Any:
        reached.add((frame.f_code.co_filename, frame.f_lineno))
        return line

    def call(frame: FrameType, event: str, _: object) -> Any:
        return line if frame.f_code.co_filename in MODULES else None

    before = sys.gettrace()
    sys.settrace(call)
    try:
        for change, rule, _ in BROKEN:
            said_by(rule, change)
        test_what_is_needed_and_has_no_address_is_named()
    finally:
        sys.settrace(before)
    facts = {(file, number): words for file in MODULES for number, words in problems_of(Path(file))}
    assert len(facts) > 90
    assert [
        f"{Path(file).name}:{number}: {words}" for (file, number), words in sorted(facts.items()) if (file, number) not in reached
    ] == []
    assert {rule for _, rule, _ in BROKEN} == {rule.__name__ for rule in RULES}


MODULES = {rule.__code__.co_filename for rule in RULES}


def problems_of(module: Path) -> Iterator[tuple[int, str]]:
    """The lines of a module that give a problem, and its words."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        match node:
            case ast.Yield(value=ast.JoinedStr() | ast.BinOp() | ast.Constant() | ast.Call(func=ast.Attribute(attr="says")) as value):
                yield node.lineno, ast.unparse(value)


def test_digests_are_welcome_wherever_the_deploy_puts_them() -> None:
    assert found(put(f"{MAIN}/image", "registry.example.com/p/api@sha256:" + "0" * 64)) == []


def test_every_problem_begins_with_the_file_to_open() -> None:
    assert all(problem.startswith("k8s/") and ": " in problem for change, _, _ in BROKEN for problem in found(change))


def test_workloads_without_an_autoscaler_run_the_catalogues_replicas() -> None:
    objects = platform()
    del objects["hpa"]
    put("api/spec/replicas", 2)(objects)
    assert problems(CATALOG, STAGING, objects.values()) == []

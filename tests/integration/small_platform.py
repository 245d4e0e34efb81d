"""A platform of one service, one job and one store in namespaces of its own, for tests of the cluster room."""

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ops.catalog.model import Catalog, Database, Environment, Job, Service, Stack, Store, Variable

REGISTRY = "registry.nextai-agent.com"
PREFIX = "nextai"


@dataclass
class Platform:
    """What the next deploy wants. Change a field, then `write()`."""

    root: Path
    digests: dict[str, str]
    name: str = field(default_factory=lambda: f"ct-{uuid.uuid4().hex[:6]}")
    config: dict[str, str] = field(default_factory=lambda: {"GREETING": "hello"})
    env: dict[str, str] = field(default_factory=dict)
    job_env: dict[str, str] = field(default_factory=dict)
    cpu: str = "10m"
    replicas: int = 1
    extra: bool = True
    quota: str = ""
    environment: str = "staging"
    change: Callable[[list[dict[str, Any]]], None] = lambda objects: None  # what else is to be otherwise

    @property
    def home(self) -> str:
        return f"{self.name}-system"

    @property
    def data(self) -> str:
        return f"{self.name}-data"

    @property
    def store_image(self) -> str:
        return f"{REGISTRY}/{PREFIX}/ct-store@{self.digests['ct-store']}"

    def catalog(self) -> Catalog:
        stack = Stack("go", "Dockerfile", {}, ("true",), 1001)
        common: dict[str, Any] = {"stack": stack, "path": "x", "dockerfile": "Dockerfile", "namespace": self.home}
        variable = Variable("TOKEN", "a token", ("ct-web",), required=True, secret=True)
        return Catalog(
            root=self.root,
            platform="test",
            registry=REGISTRY,
            prefix=PREFIX,
            nodes="linux/amd64",
            stacks={"go": stack},
            services={"ct-web": Service("ct-web", **common, port=8080)},
            jobs={"ct-migrate": Job("ct-migrate", **common)},
            stores={"store": Store("store", self.store_image, 8080, 18080, self.data, "/data")},
            namespaces=(self.home, self.data),
            database=Database("store", "x", "x", "migrations", "ct-migrate"),
            environments={self.environment: Environment(self.environment, "kubernetes", "example.test", overlay="overlay")},
            variables={"TOKEN": variable},
        )

    def write(self) -> Path:
        """The overlay, as kustomize reads it."""
        folder = self.root / "overlay"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "objects.json").write_text("\n---\n".join(json.dumps(o) for o in self.objects()))
        generator = {"name": "web-config", "namespace": self.home, "literals": [f"{k}={v}" for k, v in self.config.items()]}
        (folder / "kustomization.yaml").write_text(
            json.dumps({"resources": ["objects.json"], "configMapGenerator": [generator]}),
        )
        return folder

    def objects(self) -> list[dict[str, Any]]:
        image = f"{REGISTRY}/{PREFIX}/ct-web"
        probe = {"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 1, "failureThreshold": 3}
        secrets = [{"configMapRef": {"name": "web-config"}}, {"secretRef": {"name": "web-secrets"}}]
        web = {**self._container("web", image, self.env), "envFrom": secrets, "readinessProbe": probe}
        store = {**self._container("store", self.store_image, {}), "readinessProbe": probe}
        objects = [
            *({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": n}} for n in (self.home, self.data)),
            self._object("v1", "ServiceAccount", "web", {"automountServiceAccountToken": False}),
            self._workload("Deployment", "web", self.home, web, {"strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}}),
            self._object("v1", "Service", "web", {"spec": {"selector": {"app": "web"}, "ports": [{"port": 8080}]}}),
            self._object("autoscaling/v2", "HorizontalPodAutoscaler", "web", {"spec": self._autoscaler()}),
            self._workload("StatefulSet", "store", self.data, store, {"serviceName": "store", "replicas": 1}),
            self._object("v1", "Service", "store", {"spec": {"selector": {"app": "store"}, "ports": [{"port": 8080}]}}, self.data),
            self._job(),
        ]
        if self.extra:
            objects.append(self._object("v1", "ConfigMap", "extra", {"data": {"a": "1"}}))
        if self.quota:
            objects.append(self._object("v1", "ResourceQuota", "quota", {"spec": {"hard": {"pods": self.quota}}}))
        self.change(objects)
        return objects

    def _autoscaler(self) -> dict[str, Any]:
        target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
        metric = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}
        return {"scaleTargetRef": target, "minReplicas": self.replicas, "maxReplicas": 3, "metrics": [metric]}

    def _job(self) -> dict[str, Any]:
        container = {**self._container("migrate", f"{REGISTRY}/{PREFIX}/ct-migrate", self.job_env), "args": ["once"]}
        spec = {"backoffLimit": 0, "template": {"spec": {"restartPolicy": "Never", "containers": [container]}}}
        return self._object("batch/v1", "Job", "ct-migrate", {"spec": spec})

    def _container(self, name: str, image: str, env: Mapping[str, str]) -> dict[str, Any]:
        resources = {"requests": {"cpu": self.cpu if name == "web" else "10m", "memory": "16Mi"}}
        return {"name": name, "image": image, "env": [{"name": k, "value": v} for k, v in env.items()], "resources": resources}

    def _workload(self, kind: str, name: str, namespace: str, container: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
        pod = {"containers": [container], "terminationGracePeriodSeconds": 1}
        template = {"metadata": {"labels": {"app": name}}, "spec": pod}
        spec = {"selector": {"matchLabels": {"app": name}}, "template": template, **more}
        return self._object("apps/v1", kind, name, {"spec": spec}, namespace)

    def _object(self, version: str, kind: str, name: str, body: dict[str, Any], namespace: str = "") -> dict[str, Any]:
        return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": namespace or self.home}, **body}

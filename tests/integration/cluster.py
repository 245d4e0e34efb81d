"""A small platform on the testbed, and what tests do with it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ops.cluster import record
from ops.cluster.plan import Plan
from ops.cluster.prepare import plan_deploy
from ops.cluster.release import ChangeResult, execute
from ops.cluster.target import Target
from ops.kube.client import Client
from ops.kube.objects import Key
from ops.kube.progress import Notice
from ops.manifests.render import render
from tests.integration.small_platform import Platform

SECONDS = 120.0


@dataclass
class Cluster:
    """A connection to the testbed, and the platform that is deployed to it."""

    target: Target
    client: Client
    platform: Platform
    notices: list[Notice] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    def tell(self, notice: Notice) -> None:
        self.notices.append(notice)
        self.times.append(time.monotonic())

    def plan(self, version: str = "") -> Plan:
        self.platform.write()
        catalog = self.platform.catalog()
        rendered = render(catalog, self.target.environment, self.platform.digests)
        return plan_deploy(catalog, self.client, rendered, commit="c0ffee", version=version)

    def execute(self, plan: Plan, verify: Callable[[], None] | None = None) -> ChangeResult:
        return execute(self.platform.catalog(), self.client, plan, self.tell, verify=verify, seconds=SECONDS)

    def deploy(self) -> ChangeResult:
        return self.execute(self.plan())

    def get(self, kind: str, name: str, namespace: str = "", group: str = "") -> dict[str, Any] | None:
        resource = self.client.by_key(Key(kind, "", "", group))
        assert resource is not None
        return self.client.get(resource, namespace or self.platform.home, name)

    def web(self) -> dict[str, Any]:
        found = self.get("Deployment", "web", group="apps")
        assert found is not None
        return found

    def image(self) -> str:
        return str(self.web()["spec"]["template"]["spec"]["containers"][0]["image"])

    def greeting(self) -> str:
        """What the running configuration says."""
        source = self.web()["spec"]["template"]["spec"]["containers"][0]["envFrom"][0]["configMapRef"]["name"]
        config = self.get("ConfigMap", source)
        assert config is not None
        return str(config["data"]["GREETING"])

    def history(self) -> tuple[record.Header, ...]:
        return record.history(self.client, self.platform.home)

    def everything(self) -> dict[str, str]:
        """The resourceVersion of everything that a deploy may write."""
        kinds = ("Namespace", "ConfigMap", "Secret", "ServiceAccount", "Service", "Deployment", "StatefulSet", "Job", "Lease")
        found: dict[str, str] = {}
        for kind in kinds:
            group = {"Deployment": "apps", "StatefulSet": "apps", "Job": "batch", "Lease": "coordination.k8s.io"}.get(kind, "")
            resource = self.client.by_key(Key(kind, "", "", group))
            assert resource is not None
            for namespace in (self.platform.home, self.platform.data):
                for item in self.client.find(resource, namespace if resource.namespaced else ""):
                    metadata: Any = item["metadata"]
                    if self.platform.name in metadata.get("namespace", metadata["name"]):
                        found[f"{kind} {metadata.get('namespace')}/{metadata['name']}"] = metadata["resourceVersion"]
        return found

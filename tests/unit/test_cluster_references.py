"""What objects name, kind by kind. `integration/test_deploy_needs.py` has it looked for in a real cluster."""

from typing import Any

import pytest

from ops.kube.references import references

CLAIMS: list[dict[str, Any]] = [
    {"storageClassName": "slow"},
    {"accessModes": []},
    {"storageClassName": "", "accessModes": []},
    {"volumeName": "disk", "storageClassName": "slow"},
]
PORT = {"port": {"name": "http"}}
CASES: dict[str, tuple[dict[str, Any], list[tuple[str, str, bool]]]] = {
    "Deployment": (
        {
            "template": {
                "spec": {
                    "serviceAccountName": "default",
                    "runtimeClassName": "gvisor",
                    "initContainers": [{"env": [{"valueFrom": {"configMapKeyRef": {"name": "a", "key": "K"}}}]}],
                    "containers": [
                        {"envFrom": [{"configMapRef": {"name": "b"}}, {"configMapRef": {"name": "c", "optional": True}}, {"secretRef": {}}]}
                    ],
                    "volumes": [
                        {"projected": {"sources": [{"configMap": {"name": "d", "items": [{"key": "L", "path": "l"}]}}]}},
                        {"persistentVolumeClaim": {"claimName": "e"}},
                        {"ephemeral": {"volumeClaimTemplate": {"spec": {"storageClassName": "fast"}}}},
                    ],
                }
            }
        },
        [
            ("ConfigMap n/a, key K,", "its pods cannot start", True),
            ("ConfigMap n/b", "its pods cannot start", True),
            ("ConfigMap n/d, key L,", "its pods cannot start", True),
            ("RuntimeClass gvisor", "no pod of it can be made", True),
            ("PersistentVolumeClaim n/e", "its pods cannot be placed", True),
            ("StorageClass fast", "its claim gets no volume", True),
        ],
    ),
    "StatefulSet": (
        {"serviceName": "s", "volumeClaimTemplates": [{"spec": claim} for claim in CLAIMS]},
        [
            ("StorageClass slow", "its claim gets no volume", True),
            ("a default StorageClass", "its claim gets no volume", True),
            ("Service n/s", "its pods have no names of their own in DNS", False),
        ],
    ),
    "Ingress": (
        {
            "ingressClassName": "traefik",
            "defaultBackend": {"service": {"name": "a", "port": {"number": 80}}},
            "rules": [{"http": {"paths": [{"backend": {"service": {"name": "b", **PORT}}}, {"backend": {"resource": {}}}]}}, {}],
        },
        [
            ("IngressClass traefik", "no controller may take it", False),
            ("Service n/a, port 80,", "its requests are answered with an error", False),
            ("Service n/b, port http,", "its requests are answered with an error", False),
        ],
    ),
    "HorizontalPodAutoscaler": (
        {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "x"}},
        [("StatefulSet n/x", "it has nothing to scale", True)],
    ),
    "Service": ({"selector": {"app": "x"}}, []),
}


@pytest.mark.parametrize("kind", CASES)
def test_everything_that_an_object_names_is_found(kind: str) -> None:
    spec, expected = CASES[kind]
    found = references({"kind": kind, "apiVersion": "x/v1", "metadata": {"name": "m", "namespace": "n"}, "spec": spec})
    assert [(r.named, r.without, r.fatal) for r in found] == expected

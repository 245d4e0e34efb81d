"""A volume of a StatefulSet that changes its size: what the refusal says to do. `integration/test_deploy_needs.py` asks an API server."""

from typing import Any

import pytest

from ops.kube.errors import ApiError
from ops.kube.immutable import explained

REFUSED = "StatefulSet.apps \"db\" is invalid: spec: Forbidden: updates to statefulset spec for fields other than 'replicas' are forbidden"


def workload(size: str, *, replicas: int = 1, mode: str = "ReadWriteOnce", service: str = "db") -> dict[str, Any]:
    claim = {"accessModes": [mode], "resources": {"requests": {"storage": size}}}
    templates = [{"metadata": {"name": "data"}, "spec": claim}]
    spec = {"replicas": replicas, "serviceName": service, "volumeClaimTemplates": templates}
    return {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"namespace": "n", "name": "db"}, "spec": spec}


def told(wanted: dict[str, Any], live: dict[str, Any]) -> str:
    return explained(ApiError(422, {"message": REFUSED}, "changing it"), wanted, live)


def test_a_volume_that_grows_is_told_with_the_commands_that_let_it() -> None:
    words = told(workload("10Gi", replicas=2), workload("5Gi", replicas=2))
    change = '{"spec":{"resources":{"requests":{"storage":"10Gi"}}}}'
    claims = "persistentvolumeclaim/data-db-0 persistentvolumeclaim/data-db-1"
    assert "the volume grows, data from 5Gi to 10Gi" in words
    assert f"`kubectl --namespace=n patch {claims} --type=merge --patch='{change}'`" in words
    assert words.index("patch") < words.index("`kubectl --namespace=n delete statefulset/db --cascade=orphan`")


@pytest.mark.parametrize(("live", "wanted"), [("5Gi", "4Gi"), ("1Gi", "1023Mi"), ("1Ti", "900Gi"), ("1Gi", "1G")])
def test_a_volume_that_would_shrink_is_refused_with_what_to_do(live: str, wanted: str) -> None:
    words = told(workload(wanted), workload(live))
    assert f"the volume data has {live} and a volume never gets smaller: keep {live} in the manifest" in words
    assert "patch" not in words and "--cascade=orphan" not in words


@pytest.mark.parametrize("wanted", [workload("10Gi", mode="ReadWriteMany"), workload("10Gi", service="other")])
def test_where_more_changes_than_its_size_the_whole_is_told(wanted: dict[str, Any]) -> None:
    assert "of its spec only replicas" in told(wanted, workload("5Gi"))

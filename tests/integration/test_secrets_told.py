"""A value that is secret is set everywhere, and looked for in everything that is told, printed and recorded."""

import base64
import gzip
import json
from dataclasses import asdict
from typing import Any

import pytest

from ops.cluster import logs, record, show
from ops.cluster.loglines import LogSelection
from ops.cluster.planfile import to_document
from ops.cluster.status import status
from ops.console import output
from ops.errors import Failure
from ops.kube.client import APPLY, ApiError
from ops.kube.objects import Object
from tests.integration.cluster import Cluster

CANARY = "C4nary-9f2c/with@signs"
NUMBER = 424242133


def manifest(kind: str, **rest: Any) -> Object:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": "canary"}, **rest}


def container(**env: Any) -> dict[str, Any]:
    return {"containers": [{"name": "c", "image": "x", "env": [{"name": name, "value": value} for name, value in env.items()]}]}


REJECTED = {
    "a number in a Secret": manifest("Secret", stringData={"TOKEN": NUMBER}),
    "no base64": manifest("Secret", data={"TOKEN": CANARY}),
    "a list in a Secret": manifest("Secret", stringData={"TOKEN": [CANARY]}),
    "a name that is none, with the value in it": manifest("Secret", stringData={f"{CANARY} x": "1"}),
    "a number as a variable": manifest("Pod", spec=container(DB_PASSWORD=NUMBER)),
    "a connection string in a wrong place": manifest("Pod", spec={**container(), "restartPolicy": f"postgres://me:{CANARY}@db/x"}),
}


@pytest.mark.parametrize("method", ["PATCH", "POST"])
@pytest.mark.parametrize("case", REJECTED)
def test_what_the_api_server_quotes_of_a_rejected_object_is_not_told(
    cluster: Cluster, case: str, method: str, capsys: pytest.CaptureFixture[str]
) -> None:
    body = REJECTED[case]
    path = f"/api/v1/namespaces/{cluster.platform.home}/{str(body['kind']).lower()}s" + ("/canary" if method == "PATCH" else "")
    query = {"fieldManager": "test", "fieldValidation": "Strict", "dryRun": "All"}
    with pytest.raises(ApiError) as refused:
        cluster.client.request(method, path, query, body=body, content_type=APPLY if method == "PATCH" else "application/json")
    output.error(refused.value)
    told = f"{refused.value.message} {refused.value} {refused.value.document()} {capsys.readouterr()}"
    assert not any(value in told for value in (CANARY, str(NUMBER), base64.b64encode(CANARY.encode()).decode())), told
    assert len(refused.value.message) > 20  # the rest of its words is there


def test_no_verb_tells_or_records_the_value_of_a_secret(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    home, catalog = cluster.platform.home, cluster.platform.catalog()
    secret: Object = {"stringData": {"TOKEN": CANARY}}
    cluster.client.request(
        "PATCH", f"/api/v1/namespaces/{home}/secrets/web-secrets", body=secret, content_type="application/merge-patch+json"
    )
    plan = cluster.plan()
    told = [*show.plan_lines(plan, "x"), json.dumps(to_document(plan))]

    def verify() -> None:
        raise Failure("checking", f"the database said: password {CANARY} is wrong", "Look.")

    cluster.deploy()
    cluster.platform.config["GREETING"] = "bye"
    with pytest.raises(Failure) as failed:
        cluster.execute(cluster.plan(), verify)
    output.error(failed.value)
    told += [str(asdict(row)) for row in status(catalog, cluster.client).rows]
    told += [line.text for line in logs.read(catalog, cluster.client, "web", LogSelection(tail=50))]
    told += [show.notice_line(notice) for notice in cluster.notices]
    told += [str(header) for header in cluster.history()]
    kept: Any = cluster.client.request("GET", f"/api/v1/namespaces/{home}/secrets", {"labelSelector": record.NUMBER})
    for item in kept["items"]:
        told.append(json.dumps(item))
        told.append(gzip.decompress(base64.b64decode(item["data"]["part"])).decode())
    said = capsys.readouterr()
    coded = base64.b64encode(CANARY.encode()).decode()
    assert "the database said" in said.err
    assert not [words for words in (*told, said.out, said.err) if CANARY in words or coded in words]

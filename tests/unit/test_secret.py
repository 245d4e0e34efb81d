"""Other people's words, without the secrets that they quote."""

import json
from typing import Any

import pytest

from ops import secret
from ops.errors import Failure
from ops.kube.errors import ApiError
from ops.secret import hide, register


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secret, "_known", set())


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("postgres://me:p@ss/wo:rd@db:5432/x failed", "postgres://me:***@db:5432/x failed"),
        ("redis://:pw@cache:6379", "redis://:***@cache:6379"),
        ('could not reach "amqp://me:pw@mq", "amqp://me:pw@mq2"', 'could not reach "amqp://me:***@mq", "amqp://me:***@mq2"'),
        ("host=db password=pw user=me", "host=db password=*** user=me"),
        ("host=db password='p w' user=me", "host=db password=*** user=me"),
        ("Authorization: Bearer abcdefgh.ijk", "Authorization: Bearer ***"),
        ('error found in #10 byte of ...|ORD":12|..., bigger context ...|"PASSWORD":12345|...', "error found in #10 byte of …"),
        ("see https://example.test/a?b=c and mail me@example.test", "see https://example.test/a?b=c and mail me@example.test"),
        ("http://[::1]:8080/x, http://127.0.0.1:80/@scope/name", "http://[::1]:8080/x, http://127.0.0.1:80/@scope/name"),
        ("the basic idea of a bearer is this", "the basic idea of a bearer is this"),
    ],
)
def test_what_is_a_secret_by_its_form_is_not_shown(words: str, shown: str) -> None:
    assert hide(words) == shown


def test_a_known_value_is_not_shown_however_it_is_written() -> None:
    register('ab"cdefgh\\9', "-----BEGIN KEY-----\nMIIEpAIBAAKCAQEA7x\n-----END KEY-----\n")
    assert hide('ab"cdefgh\\9 and ' + json.dumps('ab"cdefgh\\9')) == '*** and "***"'
    assert "MIIEpAIBAAKCAQEA7x" not in hide("no key: MIIEpAIBAAKCAQEA7x")


def test_a_value_that_may_as_well_be_a_name_is_hidden_only_where_it_is_known_what_is_public() -> None:
    register("nextai-data", "true")
    words = "namespace nextai-data: true or not"
    assert hide(words) == words
    assert hide(words, public="PATCH /api/v1/namespaces/nextai-data") == "namespace nextai-data: *** or not"
    assert hide(words, public="PATCH /x") == "namespace ***: *** or not"


BODY: dict[str, Any] = {
    "kind": "Secret",
    "metadata": {"name": "web-secrets"},
    "stringData": {"TOKEN": 4711, "USER": "web"},
    "data": {"B": "Y2FuYXJ5"},
}


@pytest.mark.parametrize(
    ("message", "sent", "shown"),
    [
        ("TOKEN: got &value.valueUnstructured{Value:4711}", BODY, "TOKEN: got &value.valueUnstructured{Value:***}"),
        ('Secret "web-secrets": bad value Y2FuYXJ5 (canary)', BODY, 'Secret "web-secrets": bad value *** (***)'),
        (
            'env: Invalid value: "hunter-2"',
            {
                "kind": "Pod",
                "spec": {"containers": [{"env": [{"name": "DB_PASSWORD", "value": "hunter-2"}, {"name": "LEVEL", "value": "env"}]}]},
            },
            'env: Invalid value: "***"',
        ),
        ("web is forbidden", None, "web is forbidden"),
    ],
)
def test_what_an_api_server_quotes_of_a_rejected_object_is_not_shown(message: str, sent: Any, shown: str) -> None:
    error = ApiError(422, {"message": message}, "PATCH /api/v1/namespaces/n/secrets/web-secrets", sent)
    assert error.message == shown
    assert shown in error.cause


def test_a_failure_is_told_without_what_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    from ops.console import output

    register("canary-9f2c-value")
    output.use_json(True)
    try:
        output.error(Failure("asking canary-9f2c-value", "it said canary-9f2c-value", "use canary-9f2c-value"))
    finally:
        output.use_json(False)
    told = capsys.readouterr()
    assert "canary" not in told.out + told.err
    assert json.loads(told.out)["error"]["cause"] == "it said ***"

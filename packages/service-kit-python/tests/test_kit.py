"""What every Python service relies on."""

import asyncio
import json
import logging
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from nextai_service_kit import contract, limits, logs, requests, serve, settings
from nextai_service_kit.contract import Contract, Variable
from nextai_service_kit.identity import CurrentUser
from nextai_service_kit.settings import InvalidEnvironment

USER = "0b5a8d2e-7c1f-4a3b-9d4e-5f6a7b8c9d0e"


def variable(name: str, type: str = "string", **rest: object) -> Variable:
    row: dict[str, object] = {
        "required": False,
        "default": None,
        "secret": False,
        "min_length": None,
        "values": (),
        "description": "what it is",
    }
    return Variable(name=name, type=type, **{**row, **rest})  # type: ignore[arg-type]


def read(variables: tuple[Variable, ...], **environment: str) -> settings.Settings:
    return settings.read(Contract("some-service", 8000, variables), environment)


def test_a_contract_file_is_read(tmp_path: Path) -> None:
    row = {
        "name": "A",
        "type": "enum",
        "required": True,
        "default": None,
        "secret": True,
        "minLength": 3,
        "values": ["x"],
        "description": "d",
    }
    file = tmp_path / "contract.json"
    file.write_text(json.dumps({"service": "s", "port": 1, "variables": [row], "routes": []}))
    assert contract.load(file) == Contract("s", 1, (Variable("A", "enum", True, None, True, 3, ("x",), "d"),))


def test_values_come_from_the_environment_or_from_the_default() -> None:
    variables = (variable("A", default="a"), variable("B", default="b"), variable("C"), variable("L", "list"), variable("D", "duration"))
    values = read(variables, A="x", B="", L=" one, two ,,", D="90m", OTHER="y")
    assert [values.text(name) for name in "ABC"] == ["x", "b", ""]
    assert values.items("L") == ("one", "two")
    assert values.seconds("D") == 5400


@pytest.mark.parametrize(
    ("row", "value", "problem"),
    [
        (variable("V", required=True), "", "V is required (what it is)"),
        (variable("V", min_length=32), "hunter2", "V must have 32 characters or more"),
        (variable("V", "int"), "1.5", "V must be a whole number"),
        (variable("V", "int"), "٣x", "V must be a whole number"),
        (variable("V", "port"), "65536", "V must be a port number, 1 to 65535"),
        (variable("V", "port"), "0", "V must be a port number, 1 to 65535"),
        (variable("V", "url"), "redis", "V must be a URL"),
        (variable("V", "url"), "http://[x", "V must be a URL"),
        (variable("V", "duration"), "7 days", "V must be a duration such as 15m, 12h or 7d"),
        (variable("V", "enum", values=("a", "b")), "c", "V must be one of a, b"),
    ],
)
def test_a_wrong_value_is_named_and_not_shown(row: Variable, value: str, problem: str) -> None:
    with pytest.raises(InvalidEnvironment) as caught:
        read((row,), V=value)
    assert str(caught.value) == f"some-service: cannot start: {problem}"


def test_all_that_is_wrong_is_named_in_one_line() -> None:
    with pytest.raises(InvalidEnvironment, match=r"^some-service: cannot start: A is required \(what it is\); B must be a URL$"):
        read((variable("A", required=True), variable("B", "url"), variable("C", default="c")), B="x")


def test_printing_settings_shows_no_value() -> None:
    assert "hunter2" not in repr(read((variable("A", secret=True),), A="hunter2"))


answered = threading.Event()


def _hang() -> None:
    answered.wait(30)  # a store that does not answer


def _fail() -> None:
    raise ConnectionError("10.0.0.7 refused")


@asynccontextmanager
async def nothing(_app: FastAPI) -> AsyncIterator[None]:
    yield


def app() -> FastAPI:
    made = serve.application("some-service", "1.0", {"good": lambda: None, "bad": _fail, "slow": _hang}, nothing)

    @made.post("/text")
    async def text(request: Request) -> int:
        return len(await request.body())

    @made.get("/me")
    def me(user: CurrentUser) -> str:
        return str(user)

    @made.get("/broken")
    def broken() -> None:
        raise RuntimeError("a defect")

    @made.get("/number")
    def number(n: int) -> int:
        return n

    return made


@pytest.fixture
def http() -> Iterator[TestClient]:
    answered.clear()
    with TestClient(app()) as client:
        yield client
        answered.set()


def test_readiness_asks_every_store_and_waits_no_longer_than_two_seconds(http: TestClient) -> None:
    began = time.monotonic()
    answer = http.get("/health/ready")
    assert answer.status_code == 503
    assert answer.json() == {
        "status": "unavailable",
        "checks": {"good": "ok", "bad": "error: failed (the log says why)", "slow": "error: no answer within 2 s"},
    }
    assert http.get("/health").json() == {"status": "ok", "service": "some-service", "version": "1.0"}
    assert time.monotonic() - began < 3.5


def test_a_store_that_requests_get_along_without_is_shown_and_does_not_decide() -> None:
    made = serve.application("some-service", "1.0", {"good": lambda: None}, nothing, shown={"bad": _fail})
    with TestClient(made) as client:
        answer = client.get("/health/ready")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "checks": {"good": "ok", "bad": "error: failed (the log says why)"}}


def test_an_answer_that_is_late_is_a_503_that_says_when_to_come_again() -> None:
    made = FastAPI()
    made.add_middleware(requests.RequestMiddleware, limit=0.1)
    made.get("/slow")(lambda: answered.wait(30))
    answered.clear()
    with TestClient(made) as client:
        answer = client.get("/slow")
        answered.set()
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")
    assert int(answer.headers["Retry-After"]) > 0


def test_a_body_that_does_not_arrive_is_a_408_that_ends_the_connection() -> None:
    said: list[Message] = []

    async def reads(_scope: Scope, receive: Receive, _send: Send) -> None:
        await receive()

    async def nothing_more() -> Message:
        never: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        return await never

    async def hear(message: Message) -> None:
        said.append(message)

    scope: Scope = {"type": "http", "method": "POST", "path": "/", "headers": [(b"content-length", b"100")]}
    asyncio.run(requests.RequestMiddleware(reads, limit=0.1)(scope, nothing_more, hear))
    answer = {name.decode(): value.decode() for name, value in said[0]["headers"]}
    assert (said[0]["status"], answer["connection"]) == (408, "close")
    assert json.loads(said[1]["body"])["error"]["code"] == "request_timeout"


@pytest.mark.parametrize("announced", [True, False])
def test_a_body_that_is_too_large_is_refused_announced_or_not(http: TestClient, announced: bool) -> None:
    most = b"x" * limits.BODY
    assert http.post("/text", content=most).json() == len(most)
    answer = http.post("/text", content=most + b"x" if announced else iter([most, b"x"]))
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "payload_too_large")


@pytest.mark.parametrize(
    ("path", "status", "code"), [("/no", 404, "not_found"), ("/me", 401, "unauthenticated"), ("/number?n=x", 422, "validation")]
)
def test_every_error_has_the_error_body(http: TestClient, path: str, status: int, code: str) -> None:
    answer = http.get(path, headers={"X-Request-Id": "caller-chosen-1"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert answer.json()["error"]["requestId"] == answer.headers["X-Request-Id"] == "caller-chosen-1"


def test_a_defect_is_a_500_that_tells_nothing_and_is_logged(http: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    answer = http.get("/broken")
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal_error")
    assert "defect" not in answer.text
    assert "a defect" in caplog.text


@pytest.mark.parametrize("identity", ["Caller-1", "a.b_c-d1", "x" * 64])
def test_a_request_id_in_the_gateways_form_is_kept(http: TestClient, identity: str) -> None:
    assert http.get("/health", headers={"X-Request-Id": identity}).headers["X-Request-Id"] == identity


@pytest.mark.parametrize("identity", ["", "short-1", "x" * 65, "with a space", "with:colon", "línea-nueva-1"])
def test_a_request_id_of_another_form_is_replaced(http: TestClient, identity: str) -> None:
    made = http.get("/health", headers={"X-Request-Id": identity.encode()}).headers["X-Request-Id"]
    assert made != identity
    assert len(made) == 32


def test_the_user_is_who_the_gateway_says(http: TestClient) -> None:
    assert http.get("/me", headers={"X-User-Id": USER}).json() == USER
    assert http.get("/me", headers={"X-User-Id": USER.upper()}).status_code == 401
    assert http.get("/me", headers=[("X-User-Id", USER), ("X-User-Id", USER)]).status_code == 401


def test_log_lines_have_the_platforms_keys(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before = root.handlers, root.level
    try:
        for form in ("json", "text"):
            logs.configure("some-service", "info", form)

            async def work() -> None:
                logs.request_id.set("id-of-request")
                logging.getLogger("x").debug("not shown")
                logging.getLogger("x").warning('two\nlines "quoted"', extra={"fields": {"store": "milvus"}})

            asyncio.run(work())
    finally:
        root.handlers, root.level = before
    as_json, as_text = capsys.readouterr().out.splitlines()
    event = json.loads(as_json)
    assert list(event) == ["time", "level", "msg", "service", "requestId", "store"]
    assert event["level"] == "warn"
    assert event["msg"] == 'two\nlines "quoted"'
    assert 'level=warn msg="two\\nlines \\"quoted\\"" service=some-service requestId=id-of-request store=milvus' in as_text

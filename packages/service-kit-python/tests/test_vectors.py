"""The kit reads the contract, and people's text, as every other stack does (packages/contract)."""

import json
import logging
import re
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.testclient import TestClient
from pydantic import BaseModel, StrictStr

from nextai_service_kit import errors, health, limits, logs, serve, settings
from nextai_service_kit.contract import Contract, Variable
from nextai_service_kit.errors import ApiError
from nextai_service_kit.identity import current_user
from nextai_service_kit.requests import _ACCEPTABLE, RequestMiddleware
from nextai_service_kit.settings import InvalidEnvironment, Settings
from nextai_service_kit.text import is_blank

VECTORS = json.loads((Path(__file__).parents[2] / "contract/vectors.json").read_text("utf-8"))


def _read(values: Settings, kind: str) -> object:
    match kind:
        case "int" | "port":
            return values.number("V")
        case "duration":
            return values.seconds("V")
        case "bool":
            return values.flag("V")
        case "list":
            return list(values.items("V"))
    return values.text("V")


@pytest.mark.parametrize("vector", VECTORS["values"], ids=lambda vector: f"{vector['type']} {vector['given']!r}")
def test_a_value_is_read_as_by_every_reader(vector: dict[str, Any]) -> None:
    variable = Variable(
        "V",
        vector["type"],
        vector.get("required", False),
        None,
        False,
        vector.get("minLength"),
        tuple(vector.get("values", ())),
        "what it is",
    )
    contract = Contract("some-service", 1, (variable,))
    if "problem" not in vector:
        assert _read(settings.read(contract, {"V": vector["given"]}), vector["type"]) == vector["reads"]
        return
    with pytest.raises(InvalidEnvironment) as caught:
        settings.read(contract, {"V": vector["given"]})
    assert str(caught.value) == f"some-service: cannot start: V {vector['problem']}"


def test_a_text_is_blank_when_nothing_of_it_can_be_seen() -> None:
    assert [text for text in VECTORS["blank"] if not is_blank(text)] == []
    assert [text for text in VECTORS["visible"] if is_blank(text)] == []


def test_a_request_id_is_kept_in_one_form() -> None:
    assert [text for text in VECTORS["requestIds"]["kept"] if not _ACCEPTABLE.fullmatch(text)] == []
    assert [text for text in VECTORS["requestIds"]["replaced"] if _ACCEPTABLE.fullmatch(text)] == []


def test_a_status_has_the_code_of_every_stack() -> None:
    assert {str(status): code for status, code in errors.CODES.items()} == VECTORS["errors"]


@contextmanager
def logged(form: str) -> Iterator[logging.Logger]:
    """The service's log on standard output, for the time of the block."""
    root = logging.getLogger()
    before = root.handlers, root.level
    try:
        logs.configure("some-service", "debug", form)
        yield logging.getLogger("x")
    finally:
        root.handlers, root.level = before


def test_a_line_has_one_of_the_levels(capsys: pytest.CaptureFixture[str]) -> None:
    with logged("json") as log:
        for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
            log.log(level, "said")
    assert [json.loads(line)["level"] for line in capsys.readouterr().out.splitlines()] == VECTORS["log"]["levels"]


@pytest.mark.parametrize("vector", VECTORS["log"]["requests"], ids=str)
def test_a_request_is_logged_as_in_every_stack(vector: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    app, path = FastAPI(), "/health/x" if vector.get("health") else "/a"
    app.add_middleware(RequestMiddleware)
    app.get(path)(lambda: Response(status_code=vector["status"]))
    with logged("json"), TestClient(app) as http:
        http.get(path)
    (line,) = [found for text in capsys.readouterr().out.splitlines() if (found := json.loads(text))["msg"] == "request"]
    assert (line["level"], line["status"], line["path"]) == (vector["level"], vector["status"], path)
    assert {*VECTORS["log"]["always"], *VECTORS["log"]["request"]} <= line.keys()


def test_a_line_of_text_is_as_in_every_stack(capsys: pytest.CaptureFixture[str]) -> None:
    vector = VECTORS["logText"]
    with logged("text") as log:
        log.warning(vector["msg"], extra={"fields": vector["fields"]})
    time, line = capsys.readouterr().out.rstrip("\n").split(" ", 1)
    assert re.fullmatch(r"time=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", time)
    assert line == vector["line"]


def test_limits_are_those_of_every_stack() -> None:
    seconds = {
        "pageMs": limits.PAGE,
        "gatewayMs": limits.GATEWAY,
        "requestMs": limits.REQUEST,
        "storeMs": limits.STORE,
        "silenceMs": limits.SILENCE,
        "optionalMs": limits.OPTIONAL,
        "readinessMs": limits.READINESS,
        "pageIdleMs": limits.PAGE_IDLE,
        "gatewayIdleMs": limits.GATEWAY_IDLE,
        "heartbeatMs": limits.HEARTBEAT,
        "drainMs": limits.DRAIN,
        "farewellMs": limits.FAREWELL,
    }
    assert {"bodyBytes": limits.BODY, **{name: limit * 1000 for name, limit in seconds.items()}} == VECTORS["limits"]


def test_liveness_is_answered_as_in_every_stack() -> None:
    with TestClient(_healthy({}, {})) as http:
        assert http.get("/health").json() == VECTORS["health"]["live"]


@pytest.mark.parametrize("vector", VECTORS["health"]["ready"], ids=lambda vector: str(vector["stores"]))
def test_readiness_is_answered_as_in_every_stack(vector: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    over = threading.Event()

    def fails() -> None:
        raise OSError(VECTORS["health"]["failure"])

    def silent() -> None:
        over.wait(60)

    does: dict[str, health.Check] = {"answers": lambda: None, "fails": fails, "is silent": silent}
    needed, shown = (
        {name: does[store["does"]] for name, store in vector["stores"].items() if store["needed"] is wanted} for wanted in (True, False)
    )
    with TestClient(_healthy(needed, shown)) as http:
        answer = http.get("/health/ready")
        over.set()
    assert (answer.status_code, answer.json()) == (vector["status"], vector["answer"])
    # What a store said of itself is in the log alone.
    said = [str(getattr(record, "fields", {}).get("error")) for record in caplog.records]
    assert (VECTORS["health"]["failure"] in said) == any(store["does"] == "fails" for store in vector["stores"].values())


def _healthy(needed: dict[str, health.Check], shown: dict[str, health.Check]) -> FastAPI:
    app = FastAPI()
    app.include_router(health.router("some-service", "dev", needed, shown))
    return app


def test_what_is_unavailable_says_when_to_come_again() -> None:
    for status, seconds in VECTORS["retryAfter"].items():
        assert errors.body(int(status), "busy", "Come again.").headers["Retry-After"] == seconds
    assert "Retry-After" not in errors.body(500, "internal_error", "Broken.").headers


def test_a_user_is_named_in_the_one_form_that_every_stack_takes() -> None:
    def named(given: str) -> Request:
        return Request({"type": "http", "headers": [(b"x-user-id", given.encode())]})

    for given in VECTORS["users"]["accepted"]:
        assert str(current_user(named(given))) == given
    for given in VECTORS["users"]["refused"]:
        with pytest.raises(ApiError) as refusal:
            current_user(named(given))
        assert (refusal.value.status, refusal.value.code) == (401, "unauthenticated")


class Thing(BaseModel):
    """What a route of the tests takes."""

    name: StrictStr


@pytest.fixture
def things() -> Iterator[TestClient]:
    """A server with GET and POST of /things, whose routes are added as a service adds its own."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield

    routes = APIRouter(prefix="/things")

    @routes.get("")
    def things() -> list[str]:
        return []

    @routes.post("", status_code=201)
    def make(thing: Thing) -> dict[str, str]:
        return {"name": thing.name}

    app = serve.application("some-service", "dev", {}, lifespan)
    app.include_router(routes)
    with TestClient(app) as http:
        yield http


def _asked(things: TestClient, vector: dict[str, Any]) -> Any:
    headers = {"Content-Type": vector["type"]} if "type" in vector else {}
    return things.request(vector["method"], vector["path"], content=bytes.fromhex(vector.get("hex", "")), headers=headers)


@pytest.mark.parametrize("vector", VECTORS["served"], ids=str)
def test_what_can_be_served_is_served_as_in_every_stack(things: TestClient, vector: dict[str, Any]) -> None:
    answer = _asked(things, vector)
    assert (answer.status_code, answer.text) == (vector["status"], vector["body"])
    assert answer.headers["Content-Type"].startswith("application/json")


@pytest.mark.parametrize("vector", VECTORS["refusals"], ids=str)
def test_what_cannot_be_served_is_refused_as_in_every_stack(things: TestClient, vector: dict[str, Any]) -> None:
    answer = _asked(things, vector)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (vector["status"], vector["code"])
    assert error["message"] == vector.get("message", error["message"])
    assert answer.headers.get("Allow") == vector.get("allow")
    assert answer.headers["Cache-Control"] == "no-store"

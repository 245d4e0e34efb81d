"""A connection to a store, against a real server behind a gate that a test shuts and freezes."""

import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from nextai_service_kit import errors
from nextai_service_kit.connection import Connection, StoreUnavailable, _pause
from nextai_service_kit.limits import SILENCE
from nextai_service_kit.testing import Gate, free_port


class _Echo(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        while line := self.rfile.readline():
            self.wfile.write(line)


class Client:
    """Connects for each question, as a client with a pool would after a lost connection."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.address, self.closed = address, False

    def say(self, text: str, timeout: float) -> str:
        with socket.create_connection(self.address, timeout) as channel:
            channel.settimeout(timeout)
            channel.sendall(text.encode() + b"\n")
            said = channel.makefile().readline()
        if not said:
            raise ConnectionError("broken off\nwith a second line")
        return said.strip()

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def gate() -> Iterator[Gate]:
    socketserver.ThreadingTCPServer.daemon_threads = True
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        gate = Gate(("127.0.0.1", server.server_address[1]))
        gate.open()
        yield gate
        gate.shut()
        server.shutdown()


@pytest.fixture
def made() -> list[Client]:
    return []


@pytest.fixture
def connection(gate: Gate, made: list[Client]) -> Iterator[Connection[Client]]:
    def connect() -> Client:
        made.append(Client(gate.address))
        return made[-1]

    connection = Connection("echo", connect, _hello, Client.close)
    connection.start()
    yield connection
    connection.close()


def _hello(client: Client) -> None:
    client.say("hello", 1)


def say(text: str) -> Callable[[Client, float], str]:
    return lambda client, timeout: client.say(text, timeout)


def until(condition: Callable[[], object]) -> None:
    over = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < over, "it never came"
        time.sleep(0.02)


def works(connection: Connection[Client]) -> bool:
    try:
        connection.check(say("x"), 1)
    except StoreUnavailable:
        return False
    return True


def test_a_question_waits_for_the_first_connection_and_is_answered(connection: Connection[Client]) -> None:
    assert connection.ask(say("first")) == "first"


def test_one_dropped_connection_is_not_noticed(connection: Connection[Client]) -> None:
    failures = [ConnectionError("dropped")]

    def question(client: Client, timeout: float) -> str:
        if failures:
            raise failures.pop()
        return client.say("again", timeout)

    assert connection.ask(question) == "again"


def test_a_lost_client_is_closed_and_replaced(connection: Connection[Client], made: list[Client]) -> None:
    def question(client: Client, timeout: float) -> str:
        if client is made[0]:
            raise ConnectionError("its socket is dead")
        return client.say("again", timeout)

    assert connection.ask(question) == "again"
    assert [client.closed for client in made] == [True, False]


def test_a_question_on_a_replaced_client_does_not_cost_the_new_one(connection: Connection[Client], made: list[Client]) -> None:
    def question(client: Client, timeout: float) -> str:
        if client is made[0]:
            if len(made) == 1:
                with pytest.raises(StoreUnavailable):
                    connection.check(_breaks, 1)
                until(lambda: works(connection))
            raise ConnectionError("closed")
        return client.say("again", timeout)

    assert connection.ask(question) == "again"
    assert len(made) == 2


def _breaks(_client: Client, _timeout: float) -> None:
    raise ConnectionError("broken off")


def test_what_a_store_refuses_is_raised_once_and_costs_no_connection(gate: Gate, made: list[Client]) -> None:
    def connect() -> Client:
        made.append(Client(gate.address))
        return made[-1]

    asked = []

    def question(_client: Client, _timeout: float) -> None:
        asked.append("")
        raise ValueError("no such field")

    connection = Connection("echo", connect, _hello, Client.close, refused=lambda error: isinstance(error, ValueError))
    connection.start()
    assert connection.ask(say("x")) == "x"
    for ask in (connection.ask, lambda question: connection.check(question, 1)):
        with pytest.raises(ValueError, match="no such field"):
            ask(question)
    assert connection.ask(say("x")) == "x"
    connection.close()
    assert (len(asked), len(made), made[0].closed) == (2, 1, True)


def test_a_client_that_cannot_be_prepared_is_closed(made: list[Client]) -> None:
    def connect() -> Client:
        made.append(Client(("127.0.0.1", free_port())))
        return made[-1]

    connection = Connection("echo", connect, _hello, Client.close)
    connection.start()
    until(lambda: made and made[0].closed)
    connection.close()
    assert all(client.closed for client in made)


def test_processes_do_not_all_come_back_at_one_moment() -> None:
    pauses = [_pause() for _ in range(100)]
    assert all(0.5 <= pause <= 1.5 for pause in pauses) and len(set(pauses)) > 1


def test_a_store_that_is_away_costs_nobody_a_wait_and_comes_back(gate: Gate, connection: Connection[Client], made: list[Client]) -> None:
    until(lambda: works(connection))
    gate.shut()
    until(lambda: not works(connection))
    until(lambda: _failed_at_once(connection))
    gate.open()
    until(lambda: works(connection))
    assert connection.ask(say("after")) == "after"
    assert all(client.closed for client in made[:-1]) and not made[-1].closed


def _failed_at_once(connection: Connection[Client]) -> bool:
    began = time.monotonic()
    with pytest.raises(StoreUnavailable):
        connection.ask(say("x"))
    return time.monotonic() - began < SILENCE / 2


def test_a_frozen_store_costs_one_question_its_limit_and_no_more(gate: Gate, connection: Connection[Client]) -> None:
    until(lambda: works(connection))
    gate.freeze()
    began = time.monotonic()
    with pytest.raises(StoreUnavailable):
        connection.ask(say("x"))
    assert time.monotonic() - began < SILENCE + 1
    gate.thaw()
    until(lambda: works(connection))


def test_the_first_line_of_a_failure_is_told(connection: Connection[Client]) -> None:
    def fails(_client: Client, _timeout: float) -> None:
        raise ConnectionError("broken off\nwith a second line")

    until(lambda: works(connection))
    with pytest.raises(StoreUnavailable, match=r"^broken off$"):
        connection.check(fails, 1)


def test_its_end_closes_the_client(gate: Gate) -> None:
    client = Client(gate.address)
    connection = Connection("echo", lambda: client, _hello, Client.close)
    connection.start()
    connection.ask(say("x"))
    connection.close()
    assert client.closed
    with pytest.raises(StoreUnavailable):
        connection.check(say("x"), 1)


def test_an_unavailable_store_is_a_503_that_says_when_to_come_again() -> None:
    app = FastAPI()
    errors.install(app)

    @app.get("/")
    def asks() -> None:
        raise StoreUnavailable("no route to db.internal")

    with TestClient(app) as http:
        answer = http.get("/")
    assert (answer.status_code, answer.json()["error"]["code"], answer.headers["Retry-After"]) == (503, "unavailable", "1")
    assert "db.internal" not in answer.text


def test_a_free_port_can_be_listened_on() -> None:
    with socket.create_server(("127.0.0.1", free_port())):
        pass

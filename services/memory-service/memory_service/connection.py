"""A connection to Milvus that comes back by itself."""

import logging
import os
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from pymilvus import MilvusClient

CALL = 4.0
"""Seconds that one call to Milvus may take while it is prepared, in the background."""

SILENCE = 2.0
"""Seconds that a silent Milvus costs one question at most: the wait for a connection, its answer, and asking again."""

_AGAIN = 1.0  # seconds between attempts to connect
_SHORTEST = 0.2  # seconds that must be left for asking again

_log = logging.getLogger(__name__)
_T = TypeVar("_T")

Question = Callable[["MilvusClient", float], _T]
"""Asks Milvus, and gives up after so many seconds."""


class StoreUnavailable(Exception):
    """Milvus did not answer, or not as it should."""


class Connection:
    """One client for all threads. A thread of its own connects and runs `prepare`, at the start and whenever a question failed.

    `prepare` makes sure that Milvus has what the questions need; it must be safe to run twice, and at once with other processes.
    """

    def __init__(self, uri: str, prepare: "Callable[[MilvusClient], None]") -> None:
        self._uri = uri
        self._prepare = prepare
        self._client: MilvusClient | None = None
        self._failure = ""  # of the last attempt to connect
        self._up = threading.Event()
        self._wanted = threading.Event()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="milvus", daemon=True)

    def start(self) -> None:
        """Begin to connect, in the background."""
        self._wanted.set()
        self._thread.start()

    def close(self) -> None:
        """Give the connection back."""
        self._closed.set()
        self._wanted.set()
        self._up.clear()
        self._thread.join(timeout=CALL)
        if self._client is not None:
            self._client.close()

    def ask(self, question: "Question[_T]") -> _T:
        """Milvus's answer. A question that fails is asked once more on a new connection, so it must be safe to ask twice.

        Raises `StoreUnavailable`, within `SILENCE`.
        """
        over = time.monotonic() + SILENCE
        try:
            return question(self._usable(SILENCE), over - time.monotonic())
        except StoreUnavailable:
            raise
        except Exception as error:
            self._lost()
            if over - time.monotonic() < _SHORTEST:
                raise StoreUnavailable(brief(error)) from error
            _log.warning("asking Milvus again", extra={"fields": {"error": brief(error)}})
        return self._ask_once(question, over)

    def check(self, question: "Question[object]", seconds: float) -> None:
        """Ask, and wait for no connection. Raises `StoreUnavailable`."""
        self._ask_once(question, time.monotonic() + seconds, wait=0)

    def _ask_once(self, question: "Question[_T]", over: float, wait: float | None = None) -> _T:
        try:
            client = self._usable(max(0.0, over - time.monotonic()) if wait is None else wait)
            return question(client, max(_SHORTEST, over - time.monotonic()))
        except StoreUnavailable:
            raise
        except Exception as error:
            self._lost()
            raise StoreUnavailable(brief(error)) from error

    def _usable(self, wait: float) -> "MilvusClient":
        """The client, connected and prepared. While Milvus is known to be away nobody waits."""
        if not self._up.wait(0 if self._failure else wait) or self._client is None:
            raise StoreUnavailable(self._failure or "not connected yet")
        return self._client

    def _lost(self) -> None:
        self._up.clear()
        self._wanted.set()

    def _keep(self) -> None:
        while self._wanted.wait() and not self._closed.is_set():
            self._wanted.clear()
            try:
                self._client = self._client or _connect(self._uri)
                self._prepare(self._client)
            except Exception as error:
                if not self._failure:  # said once for one outage
                    _log.error("Milvus cannot be used", extra={"fields": {"error": brief(error)}})
                self._failure = brief(error)
                self._wanted.set()
                self._closed.wait(_AGAIN)
            else:
                self._failure = ""
                self._up.set()
                _log.info("connected to Milvus")


def brief(error: Exception) -> str:
    """The first line of an error; pymilvus's go on with the whole request."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]


def _connect(uri: str) -> "MilvusClient":
    # pymilvus loads a .env file from any folder above its own when it is imported; variables come from the environment alone.
    os.environ["PYTHON_DOTENV_DISABLED"] = "1"
    from pymilvus import MilvusClient

    # It logs every failure with a traceback, also those that are answered here.
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL + 1)
    options = {
        # By itself gRPC waits up to two minutes before it looks again for a server that was away.
        "grpc.initial_reconnect_backoff_ms": 200,
        "grpc.max_reconnect_backoff_ms": 1000,
        # A server that nobody asks anything counts pings against a client, and breaks off: too_many_pings.
        "grpc.keepalive_permit_without_calls": False,
    }
    return MilvusClient(uri=uri, timeout=CALL, grpc_options=options)

"""A connection to a store that comes back by itself, for clients that block."""

import logging
import random
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from nextai_service_kit.limits import SILENCE, STORE

_AGAIN = 1.0  # seconds between attempts to connect
_SHORTEST = 0.2  # seconds that must be left for asking again

_log = logging.getLogger(__name__)
_C = TypeVar("_C")
_T = TypeVar("_T")


class StoreUnavailable(Exception):
    """A store did not answer, or not as it should. Unless a service says otherwise, it is answered with 503."""


class Connection(Generic[_C]):
    """One client for all threads. A thread of its own connects and runs `prepare`, at the start and whenever a question failed; each time
    with a new client, after the old one was closed.

    `prepare` makes sure that the store has what the questions need; it must be safe to run twice, and at once with other processes.
    `name` is the store's, for the log. `refused` says which errors are the store's answer to a question that it does not take: such an
    error is raised as it is, and the connection is kept.
    """

    def __init__(
        self,
        name: str,
        connect: Callable[[], _C],
        prepare: Callable[[_C], None],
        close: Callable[[_C], None],
        refused: Callable[[Exception], bool] = lambda _: False,
    ) -> None:
        self._name = name
        self._connect, self._prepare, self._close, self._refused = connect, prepare, close, refused
        self._client: _C | None = None
        self._failure = ""  # of the last attempt to connect
        self._up = threading.Event()
        self._wanted = threading.Event()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._keep, name=name, daemon=True)

    def start(self) -> None:
        """Begin to connect, in the background."""
        self._wanted.set()
        self._thread.start()

    def close(self) -> None:
        """Give the connection back."""
        self._closed.set()
        self._wanted.set()
        self._up.clear()
        self._thread.join(timeout=STORE)

    def ask(self, question: Callable[[_C, float], _T]) -> _T:
        """The store's answer. `question` asks it, and gives up after so many seconds. One that fails is asked once more on a new
        connection, so it must be safe to ask twice.

        Raises `StoreUnavailable`, within `limits.SILENCE`, and what the store refused.
        """
        over = time.monotonic() + SILENCE
        client = self._usable(SILENCE)
        try:
            return question(client, over - time.monotonic())
        except StoreUnavailable:
            raise
        except Exception as error:
            if self._refused(error):
                raise
            self._lost(client)
            if over - time.monotonic() < _SHORTEST:
                raise StoreUnavailable(brief(error)) from error
            _log.warning("asking a store again", extra={"fields": {"store": self._name, "error": brief(error)}})
        return self._ask_once(question, over)

    def check(self, question: Callable[[_C, float], object], seconds: float) -> None:
        """Ask, and wait for no connection. Raises `StoreUnavailable`, and what the store refused."""
        self._ask_once(question, time.monotonic() + seconds, wait=0)

    def _ask_once(self, question: Callable[[_C, float], _T], over: float, wait: float | None = None) -> _T:
        client = self._usable(max(0.0, over - time.monotonic()) if wait is None else wait)
        try:
            return question(client, max(_SHORTEST, over - time.monotonic()))
        except StoreUnavailable:
            raise
        except Exception as error:
            if self._refused(error):
                raise
            self._lost(client)
            raise StoreUnavailable(brief(error)) from error

    def _usable(self, wait: float) -> _C:
        """The client, connected and prepared. While the store is known to be away nobody waits."""
        up = self._up.wait(0 if self._failure else wait)
        client = self._client
        if not up or client is None:
            raise StoreUnavailable(self._failure or "not connected yet")
        return client

    def _lost(self, client: _C) -> None:
        if client is self._client:  # a slow question may fail on a client that has been replaced by now
            self._up.clear()
            self._wanted.set()

    def _keep(self) -> None:
        while self._wanted.wait() and not self._closed.is_set():
            self._wanted.clear()
            self._drop()
            try:
                self._client = self._connect()
                self._prepare(self._client)
            except Exception as error:
                if not self._failure:  # said once for one outage
                    _log.error("a store cannot be used", extra={"fields": {"store": self._name, "error": brief(error)}})
                self._failure = brief(error)
                self._wanted.set()
                self._drop()
                self._closed.wait(_pause())
            else:
                self._failure = ""
                self._up.set()
                _log.info("connected to %s", self._name)
        self._drop()

    def _drop(self) -> None:
        """Close the client. Questions that still wait for its answer fail, and are asked again on the next one."""
        client, self._client = self._client, None
        if client is None:
            return
        try:
            self._close(client)
        except Exception as error:
            _log.warning("a client cannot be closed", extra={"fields": {"store": self._name, "error": brief(error)}})


def _pause() -> float:
    """Seconds until the next attempt to connect: processes that lost a store at one moment do not all come back at one moment."""
    return _AGAIN * random.uniform(0.5, 1.5)  # noqa: S311  no secret


def brief(error: Exception) -> str:
    """The first line of an error; a client's may go on with the whole request."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]

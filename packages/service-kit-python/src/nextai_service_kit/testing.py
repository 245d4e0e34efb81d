"""What the tests of several services need."""

import contextlib
import socket
import threading


class Gate:
    """A way to a store that a test can shut or freeze: to the service that is the store going away, while others' tests keep theirs.

    It forwards TCP connections from a port of its own.
    """

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._port = 0
        self._listener: socket.socket | None = None
        self._open: list[socket.socket] = []
        self._passes = threading.Event()
        self._passes.set()

    @property
    def address(self) -> tuple[str, int]:
        """Where the gate is; the same after shutting and opening."""
        return "127.0.0.1", self._port

    @property
    def uri(self) -> str:
        """The same as a URL."""
        return f"http://127.0.0.1:{self._port}"

    def open(self) -> None:
        """Take connections."""
        self._listener = socket.create_server(("127.0.0.1", self._port))
        self._port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def shut(self) -> None:
        """Take no more connections, and break off those that are there."""
        if self._listener is not None:
            # A thread that waits in accept() keeps the port; only shutdown wakes it.
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        self.drop()

    def freeze(self) -> None:
        """Take connections and pass nothing on: to a client that is a server under SIGSTOP."""
        self._passes.clear()

    def thaw(self) -> None:
        """Pass on what has come meanwhile."""
        self._passes.set()

    def drop(self) -> None:
        """Break off the connections that are there."""
        self.thaw()
        for one in self._open:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._open.clear()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.create_connection(self._target)
                self._open += [near, far]
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=self._copy, args=(source, sink), daemon=True).start()

    def _copy(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self._passes.wait()
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)


def free_port() -> int:
    """A port of the loopback address that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

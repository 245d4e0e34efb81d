"""Small questions to servers of this machine, that answer yes or no at once."""

import errno
import socket
import ssl
import urllib.request
from pathlib import Path


def answers_http(url: str, tls: ssl.SSLContext | None = None) -> bool:
    """Whether GET of `url` gives 200, without any proxy. Raises OSError where nobody answers."""
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
    if tls is not None:
        handlers.append(urllib.request.HTTPSHandler(context=tls))
    with urllib.request.build_opener(*handlers).open(url, timeout=2) as answer:
        return bool(answer.status == 200)


def answers_socket(path: Path, request: str) -> bool:
    """Whether a server on a Unix socket gives 200 to an HTTP request. Raises OSError where nobody answers."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(2)
        connection.connect(str(path))
        connection.sendall(f"GET {request} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        return b" 200 " in connection.recv(64)


def free(address: str) -> bool:
    """Whether HOST:PORT of this machine can be listened on. Raises OSError where the host is not this machine's."""
    host, _, port = address.rpartition(":")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port that only waits for late packets is free
        try:
            probe.bind((host, int(port)))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise
    return True


def unverified() -> ssl.SSLContext:
    """For servers that make their own certificate and are asked for their health only."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context

#!/usr/bin/env python3
"""`milvus run standalone`, served by Milvus Lite: gRPC on port 19530, its data in /var/lib/milvus, GET :9091/healthz.

Health is asked of the server itself, as a client would: a port that listens is not yet a database that answers.
"""

import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

DATA = os.environ.get("MILVUS_DATA", "/var/lib/milvus")
PORT, HEALTH_PORT = 19530, 9091
EMPTY = b""


def healthy() -> bool:
    """Whether the server answers ListCollections' cheaper sister, GetVersion; `UNIMPLEMENTED` is an answer too."""
    import grpc

    with grpc.insecure_channel(f"127.0.0.1:{PORT}") as channel:
        call = channel.unary_unary("/milvus.proto.milvus.MilvusService/GetVersion", lambda _: EMPTY, lambda answer: answer)
        try:
            call(None, timeout=1)
        except grpc.RpcError as error:
            return error.code() == grpc.StatusCode.UNIMPLEMENTED
        return True


class Health(BaseHTTPRequestHandler):
    """Answers as the official image does: OK, or 500."""

    def do_GET(self) -> None:
        good = self.path == "/healthz" and healthy()
        body = b"OK" if good else b"not ready"
        self.send_response(200 if good else 404 if self.path != "/healthz" else 500)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """A probe each few seconds is no news."""


def main() -> int:
    if sys.argv[1:] != ["run", "standalone"]:
        print("usage: milvus run standalone", file=sys.stderr)
        return 2
    # Not by `milvus-lite server`, which loses what it has acknowledged: see infra/embedded/milvus/server.py.
    from milvus_lite.adapter.grpc.server import start_server_in_thread

    ended = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    server, database, _ = start_server_in_thread(DATA, "0.0.0.0", PORT, max_workers=1)
    Thread(target=ThreadingHTTPServer(("", HEALTH_PORT), Health).serve_forever, daemon=True).start()
    ended.wait()
    server.stop(grace=5).wait()  # what has begun is answered first
    database.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())

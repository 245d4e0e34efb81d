"""Serve Milvus Lite: `python server.py DATA PORT`, until SIGINT or SIGTERM.

Not by its own command (milvus-lite 3.2.2), which loses what it has acknowledged: several workers interleave in the write-ahead log, which
then cannot be read to its end; at SIGTERM nothing is written out; at SIGINT the database is closed while requests are still answered.
"""

import signal
import sys
import threading

from milvus_lite.adapter.grpc.server import start_server_in_thread


def main(data: str, port: int, host: str = "127.0.0.1") -> None:
    """Serve with one worker; at the end answer what has begun, then write everything out."""
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    server, database, _ = start_server_in_thread(data, host, port, max_workers=1)
    ended.wait()
    server.stop(grace=5).wait()
    database.close()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])

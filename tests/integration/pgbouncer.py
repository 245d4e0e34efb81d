"""A real PgBouncer from Debian's packages, unpacked once into the cache folder: a pooler between a test and its database."""

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict

from ops.folders import cache
from ops.testbed.fetch import unpack
from ops.testbed.keep import kept

SUITE = "bookworm"
PACKAGES = [
    "pgbouncer",
    "libevent-2.1-7",
    "libc-ares2",
    "libssl3",
    "libsystemd0",
    "libpam0g",
    "libcap2",
    "liblzma5",
    "libzstd1",
    "liblz4-1",
]
PACKAGES += ["libgcrypt20", "libgpg-error0", "libaudit1", "libcap-ng0"]


@contextmanager
def pooled(dsn: str, folder: Path, mode: str) -> Iterator[str]:
    """A connection string that leads to the same database through a PgBouncer in this mode (`session` or `transaction`)."""
    root = kept(cache() / "debian" / f"pgbouncer-{SUITE}", lambda work: unpack(work, SUITE, PACKAGES), "fetching PgBouncer", print)
    parts = conninfo_to_dict(dsn)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    target = " ".join(f"{key}={parts[key]}" for key in ("host", "port", "dbname", "user", "password"))
    settings = folder / "pgbouncer.ini"
    settings.write_text(
        f"[databases]\n{parts['dbname']} = {target}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n"
        f"auth_type = any\npool_mode = {mode}\ndefault_pool_size = 5\nunix_socket_dir =\n"
    )
    library = next((root / "usr/lib").glob("*-linux-gnu*"))
    environment = {**os.environ, "LD_LIBRARY_PATH": f"{library}:{root / 'lib' / library.name}"}
    program = [str(root / "usr/sbin/pgbouncer"), *(("-u", "nobody") if os.geteuid() == 0 else ()), str(settings)]
    process = subprocess.Popen(program, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if "process up" in line:
                break
        else:
            raise AssertionError(f"PgBouncer did not start: exit code {process.wait()}")
        yield f"postgresql://{parts['user']}:any@127.0.0.1:{port}/{parts['dbname']}"
    finally:
        process.terminate()
        process.communicate()


def shared(dsn: str) -> bool:
    """Whether two connections are given one session of the server, as a pooler in transaction mode does."""
    query = "SELECT pg_backend_pid()"
    with psycopg.connect(dsn, autocommit=True) as one, psycopg.connect(dsn, autocommit=True) as two:
        return one.execute(query).fetchone() == two.execute(query).fetchone()

"""The scratch server beside the migrations where no embedded one is: a container of the store's own image.

In a cluster it is a sidecar of the migration Job, in Compose a service whose network the migrations share. Both run this command, and
ops/manifests/trial.py holds the Job's manifest against it. It listens on the loopback address of what the two containers share,
so nobody else reaches it, and it needs no password. It begins with nothing each time.
"""

VARIABLE = "SCRATCH_DATABASE_URL"
ADMIN = "scratch_admin"
# Of every scratch server, the embedded one too.
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",  # a path of more than 107 bytes cannot be a socket
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_connections": "20",
    "shared_buffers": "16MB",
    "log_min_messages": "fatal",
    "jit": "off",
}

NAME = "scratch"
PORT = 5433  # beside the port of a server that somebody may forward
USER = 999  # the official image's
HOME = "/var/lib/postgresql"  # the image declares it a volume: what is mounted there is gone with the container
DATA = f"{HOME}/scratch"
URL = f"postgresql://{ADMIN}@127.0.0.1:{PORT}/postgres"
READY = ("pg_isready", "--quiet", "--host=127.0.0.1", f"--port={PORT}", f"--username={ADMIN}")

_MAKE = (
    f"initdb --pgdata={DATA} --username={ADMIN} --auth=trust --no-sync",
    "--locale-provider=builtin --builtin-locale=C.UTF-8 --locale=C --encoding=UTF8 > /dev/null",
)
_RUN = (f"exec postgres -D {DATA} -p {PORT}", *(f"-c {name}={value}" for name, value in SETTINGS.items()))
# Not the image's own entry point: while that prepares a database, a server answers that will end again.
SCRIPT = "\n".join((f"rm -rf {DATA}", " \\\n  ".join(_MAKE), " \\\n  ".join(_RUN), ""))
COMMAND = ("sh", "-ec", SCRIPT)

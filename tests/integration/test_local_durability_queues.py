"""What a queue, log or object store of the embedded engine acknowledged is there again, however it ended; and what it is to hold is."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ops.catalog.model import Contents
from ops.local import embedded, servers, state
from ops.local.ports import free_ports
from ops.local.process import Ending, end, identify
from ops.local.state import State
from ops.stores import kind_of, programs
from ops.stores.model import Wanted
from tests.integration.rounds import ROUNDS

ENOUGH = 60  # acknowledged writes before it ends
SECONDS = 120  # in which a busy machine does that

# Each client is given a port, and `write` (prints each number when it was acknowledged), `count` (prints what is there) or `list`.
KAFKA = """
import sys
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
port, what = sys.argv[1:]
at = {"bootstrap_servers": f"127.0.0.1:{port}"}
if what == "write":
    producer = KafkaProducer(acks="all", **at)
    for n in range(100000):
        producer.send("usage", str(n).encode()).get(30)
        print(n, flush=True)
consumer = KafkaConsumer(**at)
if what == "list":
    print(*sorted(consumer.topics()))
if what == "count":
    parts = [TopicPartition("usage", n) for n in consumer.partitions_for_topic("usage")]
    consumer.assign(parts)
    consumer.seek_to_beginning()
    ends = consumer.end_offsets(parts)
    while any(consumer.position(part) < end for part, end in ends.items()):
        for records in consumer.poll(1000).values():
            print(*(record.value.decode() for record in records))
if what == "refused":
    producer = KafkaProducer(max_block_ms=3000, **at)
    try:
        producer.send("undeclared", b"x").get(10)
        print("taken")
    except Exception as error:
        print(type(error).__name__)
"""
RABBITMQ = """
import sys
import pika
port, what = sys.argv[1:]
connection = pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", int(port), credentials=pika.PlainCredentials("kept", "pw/@ ")))
if connection._impl.server_properties.get("qpid.confirmed_publish_supported") == "true":  # it does, by a name that pika does not know
    connection._impl.server_capabilities = {"publisher_confirms": True, "basic.nack": True}
channel = connection.channel()
if what == "write":
    channel.confirm_delivery()
    for n in range(100000):
        channel.basic_publish("", "deliveries", str(n).encode(), pika.BasicProperties(delivery_mode=2), mandatory=True)
        print(n, flush=True)
if what == "count":
    left = channel.queue_declare("deliveries", passive=True).method.message_count
    for _ in range(left):
        print(channel.basic_get("deliveries")[2].decode())
if what == "list":
    for name in ("deliveries", "mails", "retries"):
        try:
            channel.queue_declare(name, passive=True)
            print(name, end=" ")
        except pika.exceptions.ChannelClosedByBroker:
            channel = connection.channel()
if what == "refused":
    wrong = pika.PlainCredentials("kept", "pw")
    try:
        pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", int(port), credentials=wrong))
        print("let in")
    except pika.exceptions.AMQPConnectionError as error:
        print(type(error).__name__)
"""


@dataclass(frozen=True)
class Kind:
    """A kind of store under test: what it is to hold, another set of it, and a client. `packages`: where the client's modules are."""

    name: str
    contents: Contents
    more: Contents
    listed: str
    listed_then: str
    client: str
    env: Callable[[Path], Mapping[str, str]] = field(default=lambda folder: {"PYTHONPATH": str(folder)})


KINDS = {
    "kafka": Kind(
        "kafka", Contents(topics=("usage", "runs")), Contents(topics=("mails", "usage", "runs")), "runs usage", "mails runs usage", KAFKA
    ),
    "rabbitmq": Kind(
        "rabbitmq",
        Contents(queues=("deliveries", "retries")),
        Contents(queues=("retries", "mails", "deliveries")),
        "deliveries retries",
        "deliveries mails retries",
        RABBITMQ,
    ),
}


class Alone:
    """One store under a supervisor, as `invoke up` starts it, with its data in `folder`."""

    def __init__(self, kind: Kind, folder: Path) -> None:
        self.kind, self.folder = kind, folder
        self.home = state.opened(State(folder / "state"))
        (self.port,) = free_ports(1)
        self.platform: embedded.Platform | None = None

    def up(self, contents: Contents | None = None) -> None:
        wanted = self.wanted(contents or self.kind.contents)
        self.platform = embedded._supervise(self.home, "", [servers.process(self.home, wanted)])
        ends = ("up", "failed", "gone", "stopped")
        event = next(event for event in embedded._each(self.platform) if event["event"] in ends)
        assert event["event"] == "up", event

    def command(self, what: str) -> tuple[tuple[str, ...], Mapping[str, str]]:
        script = self.folder / "client.py"
        script.write_text(self.kind.client)
        program = programs.program(self.kind.name)
        known = kind_of(self.kind.name).embedded
        assert known
        packages = program.parents[known.program.path.count("/")]
        return (sys.executable, str(script), str(self.port), what), self.kind.env(packages)

    def ask(self, what: str) -> str:
        argv, env = self.command(what)
        return subprocess.run(argv, env={**env}, capture_output=True, text=True, check=True, timeout=SECONDS).stdout.strip()

    def shown(self, contents: Contents) -> str:
        """What `invoke connect` shows of it."""
        known = kind_of(self.kind.name).client
        assert known
        argv, env = known.here(programs.program(self.kind.name), self.wanted(contents).access)
        return subprocess.run(argv, env={**env}, capture_output=True, text=True, check=True, timeout=SECONDS).stdout

    def wanted(self, contents: Contents) -> Wanted:
        return Wanted("store", self.port, "pw/@ ", "kept", "kept", kind=self.kind.name, contents=contents)

    def written(self) -> "Writer":
        argv, env = self.command("write")
        return Writer(subprocess.Popen(argv, env={**env}, stdout=subprocess.PIPE, text=True))

    def down(self) -> None:
        embedded.stop(self.home)
        assert self.platform
        self.platform.supervisor.wait(60)


class Writer:
    """A client that writes until it is cut off; `acknowledged`, what it was told is kept."""

    def __init__(self, client: subprocess.Popen[str]) -> None:
        self.client, self.acknowledged = client, set[int]()

    def enough(self) -> None:
        assert self.client.stdout
        while len(self.acknowledged) < ENOUGH:
            line = self.client.stdout.readline()
            assert line, "the client has ended"
            self.acknowledged.add(int(line))

    def ended(self) -> set[int]:
        """What was acknowledged in all: the rest of its lines is read."""
        self.client.kill()
        rest, _ = self.client.communicate()
        return self.acknowledged | {int(line) for line in rest.splitlines(keepends=True) if line.endswith("\n")}


@pytest.fixture(params=list(KINDS.values()), ids=list(KINDS))
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Alone]:
    found = Alone(request.param, tmp_path / "für")  # a letter that Java's settings files escape
    try:
        yield found
    finally:
        with suppress(Exception):
            embedded.stop(found.home)


def is_stopped(store: Alone) -> None:
    store.down()


def supervisor_is_killed(store: Alone) -> None:
    assert store.platform
    store.platform.supervisor.kill()
    store.platform.supervisor.wait()
    everyone = embedded.leftovers(store.home)
    deadline = time.monotonic() + SECONDS
    while any(one.identity.alive for one in everyone.values()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(one.identity.alive for one in everyone.values())


def store_is_killed(store: Alone) -> None:
    record = state.read(store.home)
    assert record
    end([Ending(identify(record.processes["store"].identity.pid), signal.SIGKILL)])
    store.down()


@pytest.mark.parametrize("_round", ROUNDS)
@pytest.mark.parametrize("ends", [is_stopped, supervisor_is_killed, store_is_killed])
def test_every_acknowledged_write_is_there_again(store: Alone, ends: Callable[[Alone], None], _round: int) -> None:
    store.up()
    writer = store.written()
    try:
        writer.enough()
        ends(store)
    finally:
        acknowledged = writer.ended()
    store.up()
    assert acknowledged - {int(word) for word in store.ask("count").split()} == set()


def test_what_it_is_to_hold_is_there_once_it_is_ready_and_what_is_added_later_too(store: Alone) -> None:
    store.up()
    assert store.ask("list") == store.kind.listed
    store.down()
    store.up(store.kind.more)
    assert store.ask("list") == store.kind.listed_then
    shown = store.shown(store.kind.more)
    assert all(name in shown for name in store.kind.listed_then.split())


@pytest.mark.parametrize("store", [KINDS["kafka"]], indirect=True, ids=["kafka"])
def test_a_topic_that_nobody_declared_is_not_made_by_its_use(store: Alone) -> None:
    store.up()
    assert store.ask("refused") == "KafkaTimeoutError"
    assert "undeclared" not in store.ask("list")


@pytest.mark.parametrize("store", [KINDS["rabbitmq"]], indirect=True, ids=["rabbitmq"])
def test_a_broker_of_queues_lets_nobody_in_with_another_password(store: Alone) -> None:
    store.up()
    assert store.ask("refused") == "ProbableAuthenticationError"

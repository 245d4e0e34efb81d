"""The embedded engine, on a small platform of its own: real PostgreSQL, real Redis, a service that answers HTTP."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest

from ops.catalog import load
from ops.local import process, ready, servers, state, stores
from ops.local.ports import free_ports
from ops.stores.model import Wanted
from ops.verbs import doctor

OPS = Path(__file__).resolve().parents[2]

VERB = """
import sys
from pathlib import Path
from ops import catalog
from ops.console import error
from ops.errors import Failure
from ops.verbs import local, run, up as story
root, verb, *flags = sys.argv[1:]
if "dropped" in flags:
    flags.remove("dropped")
    import signal
    class Freed:
        def __del__(self):
            signal.raise_signal(signal.SIGINT)
    announce = story._announce
    def announced(*arguments):
        announce(*arguments)
        Freed()
    story._announce = announced
options = {flag.partition("=")[0]: flag.partition("=")[2] or True for flag in flags}
try:
    room = {'run': run, 'status': local, 'logs': local}.get(verb, story)
    sys.exit(getattr(room, verb)(catalog.load(Path(root)), **options))
except Failure as failure:
    error(failure)
    sys.exit(failure.code)
"""

SERVICE = """
import os, signal, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/die":
            print("told to die", flush=True)
            os._exit(7)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(os.environ["DATABASE_URL"].encode() if self.path == "/dsn" else b"ok")

    def log_message(self, *_):
        print("asked for", self.path, flush=True)

if "FAIL" in open("mode").read():
    print("this service does not like its life", flush=True)
    sys.exit(3)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler).serve_forever()
"""

JOB = """
import os, signal, sys, time
print("sweeping", os.environ["DATABASE_URL"].rpartition("/")[2], flush=True)
if "SLEEP" in open("mode").read():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    time.sleep(60)
sys.exit(5 if "FAIL" in open("mode").read() else 0)
"""

CATALOG = """
platform: small
registry: registry.example.com
prefix: small
nodes: linux/amd64
stacks:
  python: {{dockerfile: Dockerfile, bases: {{PYTHON_IMAGE: "python:3.13"}}, test: [pytest], user: 1001}}
services:
  echo:
    stack: python
    path: services/echo
    port: 8000
    localPort: {echo}
    namespace: small
    health: /health
    ready: /health
    replicas: {{}}
    needs: [postgres, redis]
    migrations: true
    page: true
jobs:
  migrate: {{stack: python, dockerfile: Dockerfile, path: ops/database, packages: [migrations], namespace: small, needs: [postgres]}}
  sweep: {{stack: python, path: services/sweep, namespace: small, needs: [postgres], schedule: "0 3 * * *"}}
stores:
  postgres: {{image: "postgres:17", port: 5432, localPort: {postgres}, namespace: small, data: /data}}
  redis: {{image: "redis:8", port: 6379, localPort: {redis}, namespace: small, data: /data}}
namespaces: [small]
database: {{store: postgres, name: small, user: small, migrations: migrations, job: migrate}}
environments:
  local: {{kind: local, domain: "localhost:1"}}
variables:
  HOST: {{default: "0.0.0.0", readers: all, description: "Address"}}
  PORT: {{type: port, readers: all, description: "Port"}}
  DATABASE_URL: {{type: url, required: true, secret: true, readers: [echo, migrate, sweep], description: "PostgreSQL"}}
  REDIS_URL: {{type: url, required: true, secret: true, readers: [echo], description: "Redis"}}
  POSTGRES_PASSWORD: {{required: true, secret: true, readers: [postgres], description: "Password"}}
  REDIS_PASSWORD: {{required: true, secret: true, readers: [redis], description: "Password"}}
"""


@dataclass
class Platform:
    """A checkout of its own with a space in its path, a state folder of its own, ports of its own."""

    root: Path
    state: Path
    ports: dict[str, int]
    children: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, verb: str, *flags: str) -> subprocess.Popen[str]:
        environment = {**os.environ, "NEXTAI_STATE": str(self.state), "PYTHONPATH": str(OPS), "PYTHONUNBUFFERED": "1"}
        argv = (sys.executable, "-c", VERB, str(self.root), verb, *flags)
        child = subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd="/")
        self.children.append(child)
        return child

    def run(self, verb: str, *flags: str) -> tuple[int, str]:
        child = self.start(verb, *flags)
        text, _ = child.communicate(timeout=180)
        return child.returncode, text

    def up(self) -> None:
        code, text = self.run("up", "engine=embedded", "detach")
        assert code == 0, text
        assert f"http://localhost:{self.ports['echo']}" in text
        assert "`invoke down` stops it" in text

    def ask(self, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.ports['echo']}{path}", timeout=5) as answer:
            return str(answer.read().decode())

    def pids(self) -> dict[str, int]:
        record = json.loads((self.state / "run" / "record.json").read_text())
        return {"supervisor": record["supervisor"]["pid"], **{name: entry["pid"] for name, entry in record["processes"].items()}}

    def nothing_listens(self) -> bool:
        return all(_refuses(port) for port in self.ports.values())


def _refuses(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def until(condition: Callable[[], bool], what: str, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.05)


def _project(folder: Path, program: str) -> None:
    name = folder.name
    (folder / name).mkdir(parents=True)
    (folder / name / "__main__.py").write_text(program)
    (folder / "mode").write_text("fine")
    (folder / "pyproject.toml").write_text(
        f'[project]\nname = "{name}"\nversion = "0"\nrequires-python = ">=3.11"\n[tool.uv]\npackage = false\n'
    )
    lock = 'version = 1\nrevision = 3\nrequires-python = ">=3.11"\n\n'
    (folder / "uv.lock").write_text(f'{lock}[[package]]\nname = "{name}"\nversion = "0"\nsource = {{ virtual = "." }}\n')


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Platform:
    root = tmp_path_factory.mktemp("a checkout") / "with a space"
    for name, program in (("echo", SERVICE), ("sweep", JOB)):
        _project(root / "services" / name, program)
    (root / "Dockerfile").write_text("FROM scratch\n")
    (root / "ops" / "database").mkdir(parents=True)
    meta = root / "migrations" / "meta"
    meta.mkdir(parents=True)
    entry = {"idx": 0, "version": "7", "when": 1700000000000, "tag": "0000_first", "breakpoints": True}
    (meta / "_journal.json").write_text(json.dumps({"version": "7", "dialect": "postgresql", "entries": [entry]}))
    (root / "migrations" / "0000_first.sql").write_text("CREATE TABLE kept (word text);\n")
    names = ("echo", "postgres", "redis")
    ports = dict(zip(names, free_ports(3), strict=True))
    (root / "platform.yaml").write_text(CATALOG.format(**ports))
    for command in (("init", "-q"), ("add", "-A")):
        subprocess.run(("git", "-C", str(root), *command), check=True)
    return Platform(root, tmp_path_factory.mktemp("state") / "of it", ports)


@pytest.fixture
def platform(checkout: Platform) -> Iterator[Platform]:
    yield checkout
    checkout.run("down", "volumes", "yes")
    for name in ("echo", "sweep"):
        (checkout.root / "services" / name / "mode").write_text("fine")
    for child in checkout.children:
        if child.poll() is None:
            child.kill()
    checkout.children.clear()
    assert checkout.nothing_listens()


def test_it_runs_is_found_again_and_leaves_nothing(platform: Platform) -> None:
    platform.up()
    assert platform.ask("/health") == "ok"
    pids = platform.pids()
    code, text = platform.run("up", "engine=embedded", "detach")
    assert code == 0
    assert "runs already" in text
    assert platform.pids() == pids
    code, text = platform.run("status")
    assert code == 0
    assert "echo" in text
    code, text = platform.run("down")
    assert code == 0, text
    assert not any(alive(pid) for pid in pids.values())
    assert platform.nothing_listens()
    assert platform.run("down") == (0, "nothing runs\n")


def test_a_job_with_a_schedule_is_run_by_its_verb_and_not_by_up(platform: Platform) -> None:
    mode, kept = platform.root / "services" / "sweep" / "mode", platform.state / "logs" / "sweep.log"
    code, text = platform.run("run", "name=sweep")
    assert code == 1 and "does not run on this machine" in text and "`invoke up`" in text
    platform.up()
    assert "sweep" not in platform.pids() and not kept.exists()
    code, text = platform.run("run", "name=sweep")
    assert code == 0 and "sweep | sweeping small" in text and "sweep: done" in text, text
    mode.write_text("FAIL")
    code, text = platform.run("run", "name=sweep")
    assert code == 1 and "sweep ended with exit code 5; its lines are above" in text, text
    assert kept.read_text() == "sweeping small\n"
    mode.write_text("SLEEP")
    child = platform.start("run", "name=sweep")
    until(lambda: kept.read_text() == "sweeping small\n" and bool(_running("sweep")), "the job to run")
    (pid,) = _running("sweep")
    child.send_signal(signal.SIGINT)
    child.wait(timeout=30)
    assert not alive(pid)
    assert platform.run("status")[0] == 0


def _running(module: str) -> list[int]:
    """The processes that run a module as their program."""
    found = []
    for argv in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if argv.read_bytes().endswith(b"\0-m\0" + module.encode() + b"\0"):
                found.append(int(argv.parent.name))
    return found


def test_data_survives_down_and_goes_with_volumes(platform: Platform) -> None:
    platform.up()
    with psycopg.connect(platform.ask("/dsn"), autocommit=True) as connection:
        connection.execute("INSERT INTO kept VALUES ('still here')")
    platform.run("down")
    platform.up()
    with psycopg.connect(platform.ask("/dsn"), autocommit=True) as connection:
        assert connection.execute("SELECT word FROM kept").fetchall() == [("still here",)]
    assert platform.run("down", "volumes")[0] == 3  # nobody there to ask
    assert platform.ask("/health") == "ok"
    assert platform.run("down", "volumes", "yes")[0] == 0
    assert not (platform.state / "data").exists()
    platform.up()
    with psycopg.connect(platform.ask("/dsn"), autocommit=True) as connection:
        assert connection.execute("SELECT word FROM kept").fetchall() == []


def test_a_lost_secret_is_made_again_and_the_database_learns_it(platform: Platform) -> None:
    platform.up()
    before = platform.ask("/dsn")
    platform.run("down")
    (platform.state / "secrets.json").unlink()
    platform.up()
    assert platform.ask("/dsn") != before
    with psycopg.connect(platform.ask("/dsn")) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(before)


def test_secrets_are_closed_to_others_and_in_no_argv_or_log(platform: Platform) -> None:
    platform.up()
    secrets = json.loads((platform.state / "secrets.json").read_text())
    assert (platform.state / "secrets.json").stat().st_mode & 0o777 == 0o600
    assert platform.state.stat().st_mode & 0o777 == 0o700
    shown = "".join(Path(f"/proc/{pid}/cmdline").read_text() for pid in platform.pids().values() if alive(pid))
    shown += "".join(log.read_text() for log in (platform.state / "logs").iterdir())
    assert secrets
    assert not any(value in shown for value in secrets.values())


def test_ctrl_c_stops_everything(platform: Platform) -> None:
    child = platform.start("up", "engine=embedded")
    assert child.stdout
    for line in child.stdout:
        if "Ctrl-C" in line:
            break
    pids = platform.pids()
    platform.ask("/hello")
    for line in child.stdout:
        if "asked for /hello" in line:  # the log is followed
            break
    child.send_signal(signal.SIGINT)
    assert child.wait(30) == 0
    assert not any(alive(pid) for pid in pids.values())


@pytest.mark.parametrize("line", ["http://localhost", "Ctrl-C"])
def test_ctrl_c_just_as_the_address_appears_stops_everything(platform: Platform, line: str) -> None:
    for _ in range(3):
        child = platform.start("up", "engine=embedded")
        assert child.stdout
        assert any(line in said for said in child.stdout)
        child.send_signal(signal.SIGINT)
        text, _ = child.communicate(timeout=30)
        assert child.returncode == 0, text
        assert platform.nothing_listens()


def test_an_interrupt_that_python_drops_stops_everything_all_the_same(platform: Platform) -> None:
    # As where an object is freed just then: what is raised in its __del__ is printed, and forgotten.
    child = platform.start("up", "engine=embedded", "dropped")
    text, _ = child.communicate(timeout=60)
    assert child.returncode == 0, text
    assert "Exception ignored" in text and "stopping" in text
    assert platform.nothing_listens()


def test_down_from_elsewhere_ends_the_one_in_the_foreground(platform: Platform) -> None:
    child = platform.start("up", "engine=embedded")
    assert child.stdout
    for line in child.stdout:
        if "Ctrl-C" in line:
            break
    assert platform.run("down")[0] == 0
    text, _ = child.communicate(timeout=30)
    assert child.returncode == 0
    assert "stopped from elsewhere" in text


def test_killing_the_supervisor_leaves_nothing_behind(platform: Platform) -> None:
    platform.up()
    pids = platform.pids()
    os.kill(pids["supervisor"], signal.SIGKILL)
    until(lambda: not any(alive(pid) for pid in pids.values()), "the children end with their parent")
    platform.up()  # over the record of the dead one
    assert platform.ask("/health") == "ok"


def test_what_a_killed_supervisor_left_is_found_by_down(platform: Platform) -> None:
    platform.up()
    pids = platform.pids()
    os.kill(pids["redis"], signal.SIGSTOP)  # it cannot end by itself
    os.kill(pids["supervisor"], signal.SIGKILL)
    until(lambda: not alive(pids["echo"]), "the others end with their parent")
    assert alive(pids["redis"])
    assert platform.run("down")[0] == 0
    assert not alive(pids["redis"])


def test_two_at_once_start_one(platform: Platform) -> None:
    both = [platform.start("up", "engine=embedded", "detach") for _ in range(2)]
    texts = [child.communicate(timeout=180)[0] for child in both]
    assert [child.returncode for child in both] == [0, 0], texts
    assert sum("runs already" in text for text in texts) == 1
    assert all(f"http://localhost:{platform.ports['echo']}" in text for text in texts)


def test_doctor_knows_the_ports_of_this_checkouts_platform_from_those_that_others_hold(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEXTAI_STATE", str(platform.state))
    catalog = load(platform.root)

    def told() -> list[tuple[str, str, str]]:
        return [(finding.what, finding.state, finding.detail) for finding in doctor._ports(catalog)]

    platform.up()
    assert told() == [("platform", "ok", "runs here: postgres, redis, echo")]
    assert platform.run("down")[0] == 0
    assert told() == [("ports", "ok", "all of the platform's ports are free")]
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", platform.ports["redis"]))
        squatter.listen()
        assert told() == [("ports", "later", f"in use: {platform.ports['redis']} (redis)")]


def test_a_taken_port_is_named_with_its_service_and_holder(platform: Platform) -> None:
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", platform.ports["redis"]))
        squatter.listen()
        code, text = platform.run("up", "engine=embedded", "detach")
    assert code == 1
    assert f"port {platform.ports['redis']} (for redis) is taken by" in text
    assert f"(pid {os.getpid()})" in text


def test_a_service_that_dies_while_starting_is_told_with_its_last_words(platform: Platform) -> None:
    (platform.root / "services" / "echo" / "mode").write_text("FAIL")
    code, text = platform.run("up", "engine=embedded", "detach")
    assert code == 1
    assert "echo ended with exit code 3" in text
    assert "this service does not like its life" in text
    assert platform.nothing_listens()


def test_a_service_that_dies_later_is_told_and_the_others_stay(platform: Platform) -> None:
    child = platform.start("up", "engine=embedded")
    assert child.stdout
    for line in child.stdout:
        if "Ctrl-C" in line:
            break
    with contextlib.suppress(OSError):
        platform.ask("/die")
    seen = ""
    for line in child.stdout:
        seen += line
        if "echo has ended; the others go on" in line:
            break
    assert "echo ended with exit code 7" in seen
    assert "echo | told to die" in seen
    assert not _refuses(platform.ports["postgres"])
    code, text = platform.run("status")
    assert code == 1
    assert "echo | told to die" in text
    child.send_signal(signal.SIGINT)
    assert child.wait(30) == 0


def test_up_starts_everything_again_after_a_service_was_killed(platform: Platform) -> None:
    platform.up()
    before = platform.pids()
    os.kill(before["echo"], signal.SIGKILL)
    until(lambda: platform.run("status")[0] == 1, "the end is seen")
    code, text = platform.run("up", "engine=embedded", "detach")
    assert code == 0, text
    assert "echo has ended: starting everything again" in text
    assert platform.ask("/health") == "ok"
    assert not any(alive(pid) for pid in before.values())
    assert platform.run("status")[0] == 0


def test_a_local_override_wins_and_a_wrong_line_is_named(platform: Platform) -> None:
    file = platform.root / ".env.local"
    try:
        file.write_text("REDIS_PASSWORD='a b'\nNOT_A_VARIABLE=1\n")
        code, text = platform.run("up", "engine=embedded", "detach")
        assert code == 2
        assert f"{file}:2: NOT_A_VARIABLE is no variable" in text
    finally:
        file.unlink()


def test_a_state_folder_that_cannot_be_written_is_a_clear_failure(platform: Platform) -> None:
    blocked = Platform(platform.root, Path("/proc/nowhere"), platform.ports)
    code, text = blocked.run("up", "engine=embedded", "detach")
    assert code == 1
    assert "NEXTAI_STATE" in text
    assert "Traceback" not in text


def test_a_redis_password_of_any_characters_is_taken(tmp_path: Path) -> None:
    home = state.opened(state.State(tmp_path / "state"))
    redis = servers.process(home, Wanted("redis", free_ports(1)[0], 'a "quoted" \\ wörd'))
    child = process.start(redis, home.log("redis"))
    try:
        assert ready.wait(redis.probe, redis.env, lambda: child.poll() is not None, 30) == ""
    finally:
        child.terminate()
        child.wait()


def test_psql_asks_the_database_of_the_platform_and_its_exit_code_is_ours(platform: Platform) -> None:
    program = (
        "import sys; from pathlib import Path; from ops import catalog; from ops.console.verb import guarded\n"
        "from ops.verbs import connect\n"
        "sys.exit(guarded(lambda: connect.connect(catalog.load(Path(sys.argv[1])), 'postgres', 'local', testbed=False)))"
    )
    environment = {**os.environ, "NEXTAI_STATE": str(platform.state), "PYTHONPATH": str(OPS)}

    def asked(sql: str) -> subprocess.CompletedProcess[str]:
        argv = (sys.executable, "-c", program, str(platform.root))
        return subprocess.run(argv, input=sql, env=environment, capture_output=True, text=True, check=False, timeout=60, cwd="/")

    before = asked("SELECT 1;")
    assert before.returncode == 1 and "Run `invoke up` first." in before.stderr
    platform.up()
    done = asked("SELECT 6 * 7 AS answer, current_user;")
    assert (done.returncode, done.stderr) == (0, "") and "42 | small" in done.stdout
    assert asked("\\set ON_ERROR_STOP 1\nSELECT nonsense;").returncode == 3


def test_stores_are_real_and_end_with_the_block(tmp_path: Path) -> None:
    with stores(tmp_path / "of a test", None, ["postgres", "redis"]) as variables:
        assert set(variables) >= {"DATABASE_URL", "REDIS_URL"}
        with psycopg.connect(variables["DATABASE_URL"]) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        port = int(variables["REDIS_URL"].rpartition(":")[2])
        assert not _refuses(port)
    assert _refuses(port)

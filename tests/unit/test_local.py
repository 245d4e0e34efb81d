"""The platform on this machine as values: variables, the compose document, what a build depends on."""

import json
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock, Timeout

from ops import catalog as catalogue
from ops.catalog import Catalog
from ops.config import local as config
from ops.config import sidecar
from ops.errors import Failure, UsageError
from ops.local import builds, composefile, embedded, facts, plan, ports, servers, state
from ops.local.follow import Follower
from ops.local.inputs import key
from ops.local.process import Process, from_document, identify
from ops.local.ready import Probe
from ops.secret import Secret
from ops.stacks import Built
from ops.stacks.node import start_arguments
from ops.stores.model import Wanted
from ops.verbs import up as verb


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return catalogue.load()


def setting(catalog: Catalog, addresses: dict[str, config.Address], listen: str, **overrides: str) -> config.Setting:
    secrets = {name: Secret(f"secret of {name}") for name in config.generated(catalog)}
    return config.Setting(addresses, secrets, {name: Secret(value) for name, value in overrides.items()}, listen)


def test_every_service_job_and_store_gets_every_required_variable(catalog: Catalog) -> None:
    for addresses in (config.on_this_machine(catalog), config.in_containers(catalog)):
        for name in (*catalog.services, *catalog.jobs, *catalog.stores):
            values = config.environment(catalog, name, setting(catalog, addresses, "127.0.0.1"))
            assert {v.name for v in catalog.variables_of(name) if v.required} <= set(values)


def test_addresses_follow_the_engine(catalog: Catalog) -> None:
    here = config.environment(catalog, "api-gateway", setting(catalog, config.on_this_machine(catalog), "127.0.0.1"))
    assert here["USER_SERVICE_URL"].reveal() == f"http://127.0.0.1:{catalog.services['user-service'].local_port}"
    assert here["PORT"].reveal() == str(catalog.services["api-gateway"].local_port)
    inside = config.environment(catalog, "api-gateway", setting(catalog, config.in_containers(catalog), "0.0.0.0"))
    assert inside["USER_SERVICE_URL"].reveal() == f"http://user-service:{catalog.services['user-service'].port}"
    assert inside["HOST"].reveal() == "0.0.0.0"


def test_a_password_with_any_character_is_a_valid_part_of_the_url(catalog: Catalog) -> None:
    values = config.environment(
        catalog, "user-service", setting(catalog, config.on_this_machine(catalog), "127.0.0.1", POSTGRES_PASSWORD="a/b@c:d e")
    )
    assert ":a%2Fb%40c%3Ad%20e@127.0.0.1" in values["DATABASE_URL"].reveal()


def test_a_required_variable_without_a_value_is_named(catalog: Catalog) -> None:
    bare = replace(setting(catalog, config.on_this_machine(catalog), "127.0.0.1"), secrets={})
    with pytest.raises(Failure, match="JWT_SECRET"):
        config.environment(catalog, "user-service", bare)


@pytest.mark.parametrize("variable", ["NEXTAI_STATE", "XDG_STATE_HOME"])
def test_a_state_folder_of_an_unknown_user_is_told(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NEXTAI_STATE", raising=False)
    monkeypatch.setenv(variable, "~nobody-of-this-name/state")
    with pytest.raises(Failure, match="no home folder"):
        state.of(Path("/checkout"))


def test_secrets_are_made_once_and_closed(catalog: Catalog, tmp_path: Path) -> None:
    file = tmp_path / "secrets.json"
    first = config.kept_secrets(catalog, file)
    assert config.kept_secrets(catalog, file) == first
    assert file.stat().st_mode & 0o777 == 0o600
    assert len(first["JWT_SECRET"]) >= 32
    assert len({secret.reveal() for secret in first.values()}) == len(first)


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("MILVUS_HOST=debug", "debug"),
        ("export MILVUS_HOST = debug  # loud", "debug"),
        ("MILVUS_HOST='a # b $HOME'", "a # b $HOME"),
        ('MILVUS_HOST="a \\"b\\"\\n" # c', 'a "b"\n'),
        ("MILVUS_HOST=$(id)#x", "$(id)#x"),
        ("MILVUS_HOST=", ""),
    ],
)
def test_env_local_is_read_without_running_anything(catalog: Catalog, tmp_path: Path, line: str, value: str) -> None:
    (tmp_path / ".env.local").write_text(f"# comment\n\n{line}\n")
    assert config.overrides(replace(catalog, root=tmp_path))["MILVUS_HOST"].reveal() == value


@pytest.mark.parametrize("text", ["\ufeffLOG_LEVEL=debug\r\n", "# a\r\nLOG_LEVEL=debug\r\n", "# \u2028 and \x0b\nLOG_LEVEL=debug"])
def test_env_local_of_any_editor_is_read(catalog: Catalog, tmp_path: Path, text: str) -> None:
    (tmp_path / ".env.local").write_bytes(text.encode())
    assert config.overrides(replace(catalog, root=tmp_path))["LOG_LEVEL"].reveal() == "debug"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("LOG_LEVEL=loud", "LOG_LEVEL must be one of debug, info, warn, error"),
        ("JWT_SECRET=hunter2", "JWT_SECRET must have 32 characters or more"),
        ("JWT_EXPIRES_IN=7days", "JWT_EXPIRES_IN must be a duration such as 15m, 12h or 7d"),
        ("PORT=8080", "PORT would be that of every service, and each has its own"),
    ],
)
def test_a_value_of_env_local_that_no_service_takes_is_told_before_anything_starts(
    catalog: Catalog, tmp_path: Path, line: str, told: str
) -> None:
    (tmp_path / ".env.local").write_text(f"LOG_FORMAT=json\n{line}\n")
    with pytest.raises(UsageError) as caught:
        config.overrides(replace(catalog, root=tmp_path))
    assert caught.value.cause.endswith(f".env.local:2: {told}") and "hunter2" not in caught.value.remedy


def test_a_name_of_env_local_that_nobody_reads_may_be_a_mistyped_one(catalog: Catalog, tmp_path: Path) -> None:
    (tmp_path / ".env.local").write_text("LOG_LEVLE=debug\n")
    with pytest.raises(UsageError) as caught:
        config.overrides(replace(catalog, root=tmp_path))
    assert caught.value.remedy == "Correct the name (did you mean LOG_LEVEL?), take the line out, or add it to platform.yaml."


def test_env_local_in_another_encoding_is_told_with_its_line(catalog: Catalog, tmp_path: Path) -> None:
    (tmp_path / ".env.local").write_bytes("LOG_LEVEL=debug\n# zwölf".encode("latin-1"))
    with pytest.raises(UsageError, match=r"\.env\.local:2: not UTF-8"):
        config.overrides(replace(catalog, root=tmp_path))


@pytest.mark.parametrize("line", ["LOG_LEVEL", "LOG_LEVEL='zq7shown", "NO_SUCH_THING=1", "1X=2"])
def test_a_wrong_line_is_named_and_its_text_is_not_shown(catalog: Catalog, tmp_path: Path, line: str) -> None:
    (tmp_path / ".env.local").write_text(f"\n{line}\n")
    with pytest.raises(UsageError) as caught:
        config.overrides(replace(catalog, root=tmp_path))
    assert ".env.local:2" in caught.value.cause
    assert "zq7shown" not in caught.value.cause


def written(catalog: Catalog, tmp_path: Path) -> tuple[dict[str, dict[str, object]], Path]:
    home = state.opened(state.State(tmp_path / "state"))
    images = {name: f"registry.example.com/x/{name}:key" for name in catalog.images}
    composefile.write(catalog, home, images, setting(catalog, config.in_containers(catalog), "0.0.0.0"))
    document = json.loads(composefile.place(home).read_text())
    return document["services"], composefile.folder(home)


def test_the_compose_document_has_everything_closed_and_healthy_in_order(catalog: Catalog, tmp_path: Path) -> None:
    services, _ = written(catalog, tmp_path)
    assert set(services) == {*catalog.stores, *catalog.images, composefile.scratch(catalog)}
    for name, entry in services.items():
        assert entry["cap_drop"] == ["ALL"]
        assert entry["security_opt"] == ["no-new-privileges:true"]
        assert all(port["host_ip"] == "127.0.0.1" for port in entry.get("ports", []))  # type: ignore[attr-defined]
        if name in catalog.images:
            assert entry["read_only"] is True
    for service in catalog.services.values():
        waits = services[service.name]["depends_on"]
        assert isinstance(waits, dict)
        assert set(service.needs) <= set(waits)
        if service.migrations:
            assert waits[catalog.database.job] == {"condition": "service_completed_successfully"}
        check = services[service.name]["healthcheck"]["test"]  # type: ignore[index]
        assert check[0] == "CMD"
        assert not {"sh", "bash", "CMD-SHELL"} & set(check)


def test_the_migrations_are_tried_beside_them_on_a_server_that_nobody_else_reaches(catalog: Catalog, tmp_path: Path) -> None:
    services, _ = written(catalog, tmp_path)
    job, beside = services[catalog.database.job], services[composefile.scratch(catalog)]
    assert beside["image"] == services[catalog.database.store]["image"]
    assert beside["entrypoint"] == [*sidecar.COMMAND]
    assert beside["read_only"] is True
    assert not {"ports", "volumes", "env_file", "environment"} & set(beside)
    assert job["network_mode"] == f"service:{composefile.scratch(catalog)}"
    assert job["environment"] == {"SCRATCH_DATABASE_URL": sidecar.URL}
    assert job["depends_on"] == {
        catalog.database.store: {"condition": "service_healthy"},
        composefile.scratch(catalog): {"condition": "service_healthy"},
    }


def test_no_secret_is_in_the_compose_document(catalog: Catalog, tmp_path: Path) -> None:
    _, folder = written(catalog, tmp_path)
    assert "secret of" not in (folder / "compose.json").read_text()
    assert folder.stat().st_mode & 0o777 == 0o700
    for file in folder.glob("*.env"):
        assert file.stat().st_mode & 0o777 == 0o600


def test_a_redis_password_of_any_characters_is_one_word_of_its_file(catalog: Catalog, tmp_path: Path) -> None:
    home = state.opened(state.State(tmp_path / "state"))
    images = {name: f"{name}:key" for name in catalog.images}
    word = 'a "quoted" \\ wörd'
    composefile.write(catalog, home, images, setting(catalog, config.in_containers(catalog), "0.0.0.0", REDIS_PASSWORD=word))
    wanted = Wanted("redis", 1, word)
    of_embedded = Path(servers.process(home, wanted).argv[-1]).read_text().splitlines()
    (line,) = [line for line in of_embedded if line.startswith("requirepass")]
    assert line == r'''requirepass "a \"quoted\" \\ wörd"'''
    assert line in (composefile.folder(home) / "redis.conf").read_text().splitlines()


def test_the_plan_of_processes_needs_what_the_catalogue_says(catalog: Catalog) -> None:
    made = plan.processes(
        catalog,
        {name: Process(name, ("x",), "/", kind="store") for name in catalog.stores},
        {name: Built(("x",), Path("/")) for name in catalog.services},
        setting(catalog, config.on_this_machine(catalog), "127.0.0.1"),
    )
    needs = {process.name: set(process.needs) for process in made}
    for service in catalog.services.values():
        assert needs[service.name] >= set(service.needs)
        assert (catalog.database.job in needs[service.name]) is service.migrations


def test_a_shells_variables_do_not_reach_a_service(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://production")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    process = plan.service(
        catalog, catalog.services["user-service"], Built(("x",), Path("/")), setting(catalog, config.on_this_machine(catalog), "127.0.0.1")
    )
    assert "production" not in process.env["DATABASE_URL"]
    assert "AWS_SECRET_ACCESS_KEY" not in process.env


def test_a_process_survives_the_way_to_the_supervisor_and_never_shows_its_secrets() -> None:
    process = Process("x", ("a", "b"), "/", {"K": "hidden"}, Probe("tcp", 1, sends="hidden"), ("y",), "store", 2, "nobody", 9)
    assert from_document(json.loads(json.dumps(process.document()))) == process
    assert "hidden" not in repr(process)


def test_a_process_is_told_from_a_later_one_with_its_number() -> None:
    own = identify(os.getpid())
    assert own.alive
    assert not replace(own, started=own.started + "0").alive
    child = subprocess.Popen(("true",))
    gone = identify(child.pid)
    child.wait()
    assert not gone.alive
    assert not identify(child.pid).alive


def test_a_process_has_one_start_in_every_shell_where_ps_tells_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ops.local.process.sys.platform", "darwin")
    seen = []
    for zone in ("UTC", "Asia/Tokyo", "America/New_York"):
        monkeypatch.setenv("TZ", zone)
        seen.append(identify(os.getpid()))
    monkeypatch.undo()
    assert seen[0].started
    assert len(set(seen)) == 1


def test_a_builds_key_follows_content_names_and_removals(tmp_path: Path) -> None:
    def git(*command: str) -> None:
        subprocess.run(("git", "-C", str(tmp_path), *command), check=True)

    git("init", "-q")
    (tmp_path / ".gitignore").write_text("out/\n")
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "a").write_text("1")
    (tmp_path / "s" / "b").write_text("2")
    git("add", "-A")
    keys = [key(tmp_path, ["s"])]

    def changed() -> bool:
        keys.append(key(tmp_path, ["s"]))
        return keys[-1] not in keys[:-1]

    (tmp_path / "s" / "a").write_text("1")
    assert key(tmp_path, ["s"]) == keys[0]  # touched, not changed
    (tmp_path / "s" / "a").write_text("one")
    assert changed()
    (tmp_path / "s" / "new").write_text("")
    assert changed()
    (tmp_path / "s" / "b").rename(tmp_path / "s" / "c")
    assert changed()
    (tmp_path / "s" / "c").unlink()
    assert changed()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "x").write_text("")
    assert not changed()


def test_nothing_behind_a_link_is_an_input_of_a_build(tmp_path: Path) -> None:
    root, outside = tmp_path / "checkout", tmp_path / "outside"
    for folder in (root / "s" / "inner", outside):
        folder.mkdir(parents=True)
        (folder / "a").write_text("1")
    subprocess.run(("git", "-C", str(root), "init", "-q"), check=True)
    subprocess.run(("git", "-C", str(root), "add", "-A"), check=True)
    shutil.rmtree(root / "s" / "inner")
    (root / "s" / "inner").symlink_to(outside)
    before = key(root, ["s"])
    (outside / "a").write_text("another")
    (outside / "b").write_text("")
    assert key(root, ["s"]) == before
    (root / "s" / "inner").unlink()
    (root / "s" / "inner").symlink_to(tmp_path)
    assert key(root, ["s"]) != before


@pytest.mark.parametrize("script", ["node", "tsx src/main.ts", "node --watch x.ts", "NODE_ENV=x node y.js"])
def test_a_start_script_is_one_node_program(tmp_path: Path, script: str) -> None:
    (tmp_path / "package.json").write_text(json.dumps({"scripts": {"start": script}}))
    with pytest.raises(Failure):
        start_arguments(tmp_path / "package.json")


def test_free_ports_are_free(tmp_path: Path) -> None:
    ports.require_free({}, state.State(tmp_path))


def test_logs_are_followed_line_by_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "a.log"
    log.write_text("before\n")
    follower = Follower({"a": log, "longer": tmp_path / "none"}, from_end=True)
    with log.open("a") as out:
        out.write("half")
    assert not follower.show()
    with log.open("a") as out:
        out.write(" and half\nnext\n")
    assert follower.show()
    assert capsys.readouterr().out == "a      | half and half\na      | next\n"


@pytest.fixture
def home(catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> state.State:
    """A state folder of its own on a machine without Docker."""
    monkeypatch.setenv("NEXTAI_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(facts, "docker", lambda: facts.Answer(trouble="none"))
    return state.opened(state.of(catalog.root))


def test_down_with_volumes_that_waited_for_an_up_stops_what_that_started(
    catalog: Catalog, home: state.State, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[subprocess.Popen[bytes]] = []
    said: list[str] = []
    up = FileLock(home.lock)
    up.acquire()

    def say(text: str) -> None:
        said.append(text)
        if "waiting" in text:  # the other terminal's `up` is through just now
            started.append(subprocess.Popen(("sleep", "60"), start_new_session=True))
            state.write(home, state.RunRecord("embedded", identify(started[0].pid), "http://localhost:1", {}))
            up.release()

    monkeypatch.setattr(verb, "say", say)
    monkeypatch.setattr(state, "say", say)
    try:
        assert verb.down(catalog, volumes=True, yes=True) == 0
        assert not identify(started[0].pid).alive
    finally:
        for child in started:
            child.kill()
            child.wait()
    assert said[-2:] == ["stopped 1 process", "removed the data"]
    assert not home.data.exists()


def test_one_builds_at_a_time_in_a_folder_that_two_states_share(
    catalog: Catalog, home: state.State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = state.State(tmp_path / "other")
    other.folder.mkdir()
    other.build.symlink_to(home.build)
    first = FileLock(home.folder / "build.lock")
    first.acquire()
    said: list[str] = []

    def say(text: str) -> None:
        said.append(text)
        shutil.rmtree(home.build)  # the first one was a `down --volumes`
        first.release()

    def build(*_: object) -> dict[str, Built]:
        assert home.build.is_dir()
        with pytest.raises(Timeout):
            FileLock(home.folder / "build.lock").acquire(timeout=0)
        return {}

    monkeypatch.setattr(state, "say", say)
    monkeypatch.setattr(builds, "_build_all", build)
    assert builds.build(catalog, other, lambda *_: None) == {}
    assert said == ["another build of this checkout is at work; waiting for it"]
    first.acquire(timeout=0)


def test_down_with_volumes_waits_for_who_builds(catalog: Catalog, home: state.State, monkeypatch: pytest.MonkeyPatch) -> None:
    (home.build / "half").touch()
    builds = FileLock(home.folder / "build.lock")
    builds.acquire()
    waited: list[bool] = []

    def say(text: str) -> None:
        if "another build" in text:
            waited.append((home.build / "half").exists())
            builds.release()

    monkeypatch.setattr(verb, "say", say)
    monkeypatch.setattr(state, "say", say)
    assert verb.down(catalog, volumes=True, yes=True) == 0
    assert waited == [True]
    assert not home.build.exists()


def test_up_that_waited_for_a_down_with_volumes_has_its_folders(
    catalog: Catalog, home: state.State, monkeypatch: pytest.MonkeyPatch
) -> None:
    down = FileLock(home.lock)
    down.acquire()

    def say(text: str, _: str = "") -> None:
        if "waiting" in text:
            shutil.rmtree(home.run)
            down.release()

    def start(_: Catalog, found: state.State) -> None:
        assert found.run.is_dir()

    monkeypatch.setattr(verb, "say", say)
    monkeypatch.setattr(state, "say", say)
    monkeypatch.setattr(embedded, "start", start)
    assert verb.up(catalog, engine="embedded", detach=True) == 0

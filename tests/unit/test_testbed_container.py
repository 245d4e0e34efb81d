"""The testbed in a container, as values: which provider is chosen, what docker is told, what is done given what is there."""

import dataclasses
import ipaddress
import json
import os
import shutil
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from ops.errors import Failure, Refused, UsageError
from ops.images.model import BuildEngine as Builder
from ops.testbed import certificates, cgroups, choice, cluster, engine
from ops.testbed.container import apply, client, commands, facts, place, plan
from ops.testbed.container.facts import ContainerFacts, OuterContainer, OuterEngine
from ops.testbed.container.place import LABEL, OWNER, ContainerPlace
from ops.testbed.layout import Layout
from ops.testbed.model import Provider

USERS = {"DOCKER_HOST": "", "DOCKER_CONTEXT": "desktop", "DOCKER_CONFIG": "", "DOCKER_TLS_VERIFY": "", "DOCKER_CERT_PATH": ""}
PLACE = ContainerPlace(Path("/home/me/testbed"), 5055, "10.230.0.0/16", USERS)
INSIDE = Layout(Path("/var/lib/tb"), Path("/cache/testbed"), ipaddress.IPv4Network("10.230.0.0/16"), "127.0.0.1:5055", True, "r.example")
NOTHING = ContainerFacts(None, (), (), ())


def reasons(**known: str | None) -> choice.Reason:
    return lambda provider: known[provider]


# ---- the choice


@pytest.mark.parametrize(
    ("native", "container", "expected"),
    [(None, None, "native"), (None, "no engine", "native"), ("it needs root", None, "container")],
)
def test_native_is_taken_where_it_can_run_and_else_the_container(native: str | None, container: str | None, expected: Provider) -> None:
    assert choice.chosen(None, None, reasons(native=native, container=container)) == expected


def test_where_none_can_run_both_reasons_are_said() -> None:
    with pytest.raises(Failure) as raised:
        choice.chosen(None, None, reasons(native="it needs root", container="there is no docker client on the PATH"))
    assert "it needs root" in raised.value.cause
    assert "there is no docker client" in raised.value.cause
    assert "NEXTAI_TESTBED_KUBECONFIG" in raised.value.remedy


def test_the_engine_is_not_asked_where_native_can_run() -> None:
    assert choice.chosen(None, None, reasons(native=None)) == "native"


def test_what_was_asked_for_is_taken_or_refused_with_its_own_reason() -> None:
    assert choice.chosen("container", None, reasons(native=None, container=None)) == "container"
    with pytest.raises(Failure, match="it needs Linux"):
        choice.chosen("native", None, reasons(native="it needs Linux", container=None))


def test_what_runs_is_used_on_and_no_second_one_is_started_beside_it() -> None:
    assert choice.chosen(None, "container", reasons(native=None, container=None)) == "container"
    with pytest.raises(Failure, match=r"runs already, by the provider native"):
        choice.chosen("container", "native", reasons(native=None, container=None))


def test_a_provider_that_does_not_exist_is_named() -> None:
    assert choice.named("") is None
    assert choice.named("container") == "container"
    with pytest.raises(UsageError, match="'kind'"):
        choice.named("kind")


# ---- the user's engine


@pytest.mark.parametrize(
    ("answer", "words", "expected"),
    [
        ({"OSType": "linux", "Architecture": "aarch64", "SecurityOptions": ["name=seccomp"]}, "", OuterEngine("aarch64")),
        ({"OSType": "windows"}, "", "windows containers"),
        ({"OSType": "linux", "SecurityOptions": ["name=rootless"]}, "", "rootless"),
        ({"ServerErrors": ["Cannot connect to the Docker daemon"]}, "", "Cannot connect"),
        ({}, "permission denied", "permission denied"),
    ],
)
def test_an_engine_will_do_or_it_is_said_why_not(answer: dict[str, object], words: str, expected: OuterEngine | str) -> None:
    found = facts.judged(json.dumps(answer), words)
    assert found == expected if isinstance(expected, OuterEngine) else isinstance(found, str) and expected in found


def test_an_answer_that_is_no_answer_is_no_engine() -> None:
    assert isinstance(facts.judged("", ""), str)


def test_the_engine_on_which_it_was_started_is_remembered(tmp_path: Path) -> None:
    started = place.here({"NEXTAI_STATE": str(tmp_path), "DOCKER_HOST": "unix:///run/mine.sock"})
    assert not started.remembered
    started.folder.mkdir()
    client.remember_engine(started)
    later = place.here({"NEXTAI_STATE": str(tmp_path), "DOCKER_HOST": started.docker_host, "DOCKER_TLS_VERIFY": "1"})
    assert later == dataclasses.replace(started, remembered=True)


def test_the_users_own_plugins_are_found_by_the_testbeds_client(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"cliPluginsExtraDirs": ["/opt/plugins"]}')
    there = dataclasses.replace(PLACE, engine={**USERS, "DOCKER_CONFIG": str(tmp_path)})
    assert client.plugin_folders(there) == [str(tmp_path / "cli-plugins"), "/opt/plugins"]


# ---- what docker is told


def created(**more: bool) -> tuple[str, ...]:
    return commands.create(PLACE, "image:1", "key", {"GOPROXY": "https://proxy.example"}, modules=more.get("modules", False)).argv


def after(argv: tuple[str, ...], flag: str) -> list[str]:
    return [argv[index + 1] for index, word in enumerate(argv) if word == flag]


def test_the_container_is_reached_from_this_machine_alone() -> None:
    assert after(created(), "--publish") == ["127.0.0.1:5055:5055", "127.0.0.1:5056:6443", "127.0.0.1:5057:2376"]


def test_the_container_is_labelled_privileged_and_keeps_its_data_in_volumes() -> None:
    argv = created()
    assert after(argv, "--label") == [f"{LABEL}=key", f"{OWNER}={PLACE.owner}"]
    assert {"--privileged", "--cgroupns=private"} <= set(argv)
    volumes = ["nextai-testbed-5055-cache:/var/cache/nextai-agent", "nextai-testbed-5055-state:/var/lib/nextai-testbed"]
    assert after(argv, "--volume") == volumes
    assert after(created(modules=True), "--volume") == [*volumes, "/lib/modules:/lib/modules:ro"]
    assert "GOPROXY=https://proxy.example" in after(argv, "--env")
    assert argv[-1] == "image:1"


def test_every_command_goes_to_the_users_engine_and_names_nothing_but_our_own() -> None:
    every = [
        commands.volume(PLACE, "nextai-testbed-5055-state"),
        commands.start(PLACE),
        commands.stop(PLACE),
        commands.remove(PLACE),
        commands.remove_volumes(PLACE),
        commands.work(PLACE, {"parts": []}),
    ]
    for command in every:
        assert command.env == USERS
        assert any(word.startswith(PLACE.name) for word in command.argv)
        assert not {"prune", "--all", "--volumes"} & set(command.argv)


# ---- the plan


def test_from_nothing_everything_is_done() -> None:
    assert plan.steps(NOTHING, "t", "k") == ("build", "create", "copy", "start")


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        (OuterContainer({LABEL: "k"}, "t", True), ("copy",)),
        (OuterContainer({LABEL: "k"}, "t", False), ("copy", "start")),
        (OuterContainer({LABEL: "other"}, "t", True), ("stop", "remove", "build", "create", "copy", "start")),
        (OuterContainer({LABEL: "k"}, "older", False), ("remove", "build", "create", "copy", "start")),
    ],
)
def test_what_is_as_it_should_be_stays(container: OuterContainer, expected: tuple[plan.Step, ...]) -> None:
    assert plan.steps(dataclasses.replace(NOTHING, container=container), "t", "k") == expected


@pytest.mark.parametrize("container", [OuterContainer({}, "t", True), None])
def test_what_is_somebody_elses_is_refused_by_its_name(container: OuterContainer | None) -> None:
    found = ContainerFacts(container, ("v",), ("the volume v is that of 1000-a",), ())
    with pytest.raises(Refused, match="the volume v is that of 1000-a: it is not this checkout's"):
        plan.steps(found, "t", "k")
    with pytest.raises(Refused, match="the volume v is that of 1000-a: it is not this checkout's"):
        plan.removal(found, wipe=True)


def test_whose_a_thing_is_stands_in_its_labels() -> None:
    assert facts.another("the volume v", {LABEL: "k", OWNER: "1000-a"}, "1000-a") is None
    assert facts.another("the volume v", {LABEL: "k"}, "1000-a") is None  # it was made when labels did not say whose
    assert facts.another("the volume v", {}, "1000-a") == f"the volume v is there without the label {LABEL}"
    words = facts.another("the volume v", {LABEL: "k", OWNER: "1001-b"}, "1000-a")
    assert words is not None and words.startswith("the volume v is that of 1001-b, and you are 1000-a")


def test_two_users_and_two_state_folders_are_two_owners(monkeypatch: pytest.MonkeyPatch) -> None:
    owners = {PLACE.owner, dataclasses.replace(PLACE, folder=Path("/home/you/testbed")).owner}
    monkeypatch.setattr(os, "getuid", lambda: 4711)
    assert len(owners | {PLACE.owner}) == 3
    assert PLACE.owner.startswith("4711-")


def test_the_end_removes_the_container_and_a_wipe_the_rest() -> None:
    found = ContainerFacts(OuterContainer({LABEL: "k"}, "t", True), ("v",), (), ("i",))
    assert plan.removal(found, wipe=False) == ("stop", "remove")
    assert plan.removal(found, wipe=True) == ("stop", "remove", "remove volumes", "remove images")
    assert plan.removal(NOTHING, wipe=True) == ()


# ---- inside


def test_inside_the_servers_are_reached_from_outside_and_the_engine_by_certificate_only() -> None:
    files = engine.configuration(INSIDE, 1500)
    assert json.loads(files["registry.json"])["http"]["addr"] == ":5055"
    daemon = json.loads(files["daemon.json"])
    assert daemon["hosts"] == ["unix:///var/lib/tb/docker/docker.sock", "tcp://0.0.0.0:2376"]
    assert daemon["tlsverify"] is True
    assert "--bind-address=0.0.0.0" in cluster.api_server(INSIDE).argv
    assert "certs.d/r.example/hosts.toml" in cluster.configuration(INSIDE, 1500)


def test_on_a_machine_of_its_own_nothing_listens_to_the_world() -> None:
    native = dataclasses.replace(INSIDE, published=False)
    files = engine.configuration(native, 1500)
    assert json.loads(files["registry.json"])["http"]["addr"] == "127.0.0.1:5055"
    assert json.loads(files["daemon.json"])["hosts"] == ["unix:///var/lib/tb/docker/docker.sock"]
    assert "--bind-address=10.230.0.1" in cluster.api_server(native).argv


def test_control_groups_v2_hand_down_their_controllers_once_nobody_is_in_the_root(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("cpu memory")
    (tmp_path / "cgroup.procs").write_text("1\n")
    (tmp_path / "init").mkdir()
    cgroups.leave_root(tmp_path)
    assert (tmp_path / "init" / "cgroup.procs").read_text() == "1"


def test_control_groups_v1_are_left_as_they_are(tmp_path: Path) -> None:
    cgroups.leave_root(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_builder_shows_its_certificate_to_an_engine_that_asks_for_one() -> None:
    secured = Builder("tcp://127.0.0.1:5057", Path("/c"), "127.0.0.1:5055", certificates=Path("/c"))
    assert secured.environment["DOCKER_TLS_VERIFY"] == "1"
    assert secured.environment["DOCKER_CERT_PATH"] == "/c"
    assert "DOCKER_TLS_VERIFY" not in Builder("unix:///a", Path("/c"), "127.0.0.1:5055").environment


def test_the_certificates_pass_the_strict_check_of_newer_pythons(tmp_path: Path) -> None:
    inside = dataclasses.replace(INSIDE, state=tmp_path)
    certificates.prepare(inside)
    assert "127.0.0.1:5056" in certificates.kubeconfig(inside, "admin", "https://127.0.0.1:5056")
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(inside.pki / "docker-ca.crt"))
    server.verify_mode = ssl.CERT_REQUIRED
    server.load_cert_chain(inside.pki / "docker.crt", inside.pki / "docker.key")
    user = ssl.create_default_context(cafile=str(inside.pki / "docker-ca.crt"))
    user.load_cert_chain(inside.pki / "docker-client.crt", inside.pki / "docker-client.key")
    for context in (server, user):
        context.verify_flags |= ssl.VERIFY_X509_STRICT
    assert _meet(server, user)


def _meet(server: ssl.SSLContext, user: ssl.SSLContext) -> bool:
    """A handshake in memory. Raises SSLError where one does not take the other's certificate."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [user.wrap_bio(down, up, server_hostname="127.0.0.1"), server.wrap_bio(up, down, server_side=True)]
    for _ in range(5):
        waiting = []
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                waiting.append(end)
        if not waiting:
            return True
    return False


def test_what_is_copied_into_the_container_imports_nothing_that_is_not(tmp_path: Path) -> None:
    for name in apply.CODE:
        target = tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (apply.ROOT / name).is_dir():
            shutil.copytree(apply.ROOT / name, target, ignore=shutil.ignore_patterns("node_modules", "__pycache__"))
        else:
            shutil.copy(apply.ROOT / name, target)
    program = "import ops.testbed.container.inside, ops.testbed.native, ops.tools.gomodule; print(ops.__file__)"
    done = subprocess.run((sys.executable, "-B", "-c", program), cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.startswith(str(tmp_path)), done.stderr

"""The testbed's values: where things lie, what the daemons are told, what the stand-ins are made from."""

import ipaddress
import json
import os
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from ops.errors import Failure, UsageError
from ops.testbed import archive, build, certificates, cgroups, cleanup, cluster, engine, existing, fetch, images, layout, objects, processes
from ops.testbed.processes import RunningProcess

LAYOUT = layout.Layout(Path("/var/lib/tb"), Path("/cache/testbed"), ipaddress.IPv4Network("10.231.0.0/16"), "127.0.0.1:5055")


def quiet(_: str) -> None:
    """Nobody reads it."""


def test_one_network_holds_everything_without_overlap() -> None:
    parts = [
        LAYOUT.docker_pool,
        LAYOUT.pods,
        LAYOUT.services,
        str(ipaddress.ip_interface(LAYOUT.docker_address).network),
        f"{LAYOUT.node_address}/32",
    ]
    networks = [ipaddress.IPv4Network(part) for part in parts]
    assert all(network.subnet_of(LAYOUT.network) for network in networks)
    assert not any(one.overlaps(other) for one in networks for other in networks if one is not other)
    assert ipaddress.IPv4Address(LAYOUT.dns_address) in ipaddress.IPv4Network(LAYOUT.services)
    assert ipaddress.IPv4Address(LAYOUT.api_address) in ipaddress.IPv4Network(LAYOUT.services)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NEXTAI_TESTBED_STATE", "relative/path"),
        ("NEXTAI_TESTBED_STATE", "/" + "long/" * 12),
        ("NEXTAI_TESTBED_NETWORK", "10.231.0.0/24"),
        ("NEXTAI_TESTBED_NETWORK", "8.8.0.0/16"),
        ("NEXTAI_TESTBED_NETWORK", "nonsense"),
        ("NEXTAI_TESTBED_PORT", "70000"),
        ("NEXTAI_TESTBED_PORT", "http"),
    ],
)
def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(UsageError) as raised:
        layout.here()
    assert name in raised.value.doing


def test_every_socket_fits_into_its_107_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    longest = "/" + "x" * 44
    monkeypatch.setenv("NEXTAI_TESTBED_STATE", longest)
    here = layout.here()
    for path in (here.docker_socket, here.containerd_socket, here.state / "docker/exec/containerd/containerd-debug.sock"):
        assert len(str(path)) <= 107


def test_the_registry_of_the_catalogue_is_the_loopback_one_for_the_cluster() -> None:
    files = cluster.configuration(LAYOUT, 1400)
    product = files["certs.d/registry.nextai-agent.com/hosts.toml"]
    assert product == 'server = "http://127.0.0.1:5055"\n\n[host."http://127.0.0.1:5055"]\n  capabilities = ["pull", "resolve"]\n'
    official = files["certs.d/docker.io/hosts.toml"]
    assert official.startswith('server = "https://registry-1.docker.io"\n')
    assert "http://127.0.0.1:5055" in official


def test_the_bridges_have_the_mtu_of_the_uplink() -> None:
    daemon = json.loads(engine.configuration(LAYOUT, 1400)["daemon.json"])
    assert daemon["mtu"] == 1400
    assert daemon["default-network-opts"]["bridge"]["com.docker.network.driver.mtu"] == "1400"
    pods = json.loads(cluster.configuration(LAYOUT, 1400)["cni/10-testbed.conflist"])
    assert pods["plugins"][0]["mtu"] == 1400


def test_another_engines_chains_are_never_touched_by_ours() -> None:
    daemon = json.loads(engine.configuration(LAYOUT, 1500)["daemon.json"])
    assert daemon["iptables"] is False
    assert daemon["ip6tables"] is False


def test_the_audit_log_has_writes_only() -> None:
    policy = json.loads(cluster.configuration(LAYOUT, 1500)["audit.json"])
    assert policy["rules"][0] == {"level": "None", "verbs": ["get", "list", "watch"]}


def test_the_objects_are_filled_in_and_valid_yaml() -> None:
    found = [document for document in yaml.safe_load_all(objects.documents(LAYOUT)) if document]
    kinds = [document["kind"] for document in found]
    assert kinds.count("PersistentVolume") == objects.VOLUMES
    dns = next(document for document in found if document["kind"] == "Service" and document["metadata"]["name"] == "kube-dns")
    assert dns["spec"]["clusterIP"] == LAYOUT.dns_address
    default = next(document for document in found if document["kind"] == "StorageClass")
    assert default["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"] == "true"
    assert "$" not in objects.documents(LAYOUT)


def test_package_lists_pin_every_daemon() -> None:
    assert fetch.packages("# why\na=1.*\n\nb  # more\n") == ["a=1.*", "b"]
    daemons = fetch.packages((layout.SOURCES / "debian" / "forky.txt").read_text())
    assert daemons
    assert all("=" in package for package in daemons)


def test_the_mirror_of_the_machine_is_taken_and_security_is_not() -> None:
    lists = [
        "# deb http://old.example/debian sid main",
        "URIs: http://deb.debian.org/debian-security",
        "URIs: http://mirror.example/debian\n",
    ]
    assert fetch.mirror_in(lists) == "http://mirror.example/debian"
    assert fetch.mirror_in(["deb [signed-by=/a.gpg] https://near.example/debian/ trixie main"]) == "https://near.example/debian"
    assert fetch.mirror_in(["deb https://packages.example/ubuntu noble main"]) == fetch.MIRROR


def test_kubernetes_says_its_version() -> None:
    version = build.kubernetes_version((build.MODULE / "go.mod").read_text())
    assert version.startswith("v1.")
    flags = build.link_flags("v1.36.3")
    assert "gitVersion=v1.36.3" in flags
    assert "gitMinor=36 " in flags
    with pytest.raises(Failure):
        build.kubernetes_version("module testbed\n")


def test_a_stand_in_depends_on_what_it_stands_on() -> None:
    usual = images.keys({})
    assert set(usual) == {image.name for image in images.stand_ins()}
    other = images.keys({"PIP_INDEX_URL": "https://index.example/simple"})
    assert all(usual[name] != other[name] for name in usual)


def test_an_address_with_a_password_gets_into_no_image() -> None:
    found = images.settings({"PIP_INDEX_URL": "https://me:secret@index.example/simple", "goproxy": "https://proxy.example"})
    assert "secret" not in str(found)
    assert found["GOPROXY"] == "https://proxy.example"
    assert found["SSL_CERT_FILE"] == "/etc/ssl/certs/ca-certificates.crt"


def test_official_names_as_a_registry_has_them() -> None:
    assert images.reference("postgres:18-trixie") == "library/postgres:18-trixie"
    assert images.reference("milvusdb/milvus:v2.6.0") == "milvusdb/milvus:v2.6.0"


def test_the_stand_ins_are_those_of_the_catalogue() -> None:
    catalogue = yaml.safe_load((layout.SOURCES.parents[1] / "platform.yaml").read_text())
    bases = {name for stack in catalogue["stacks"].values() for name in stack["bases"].values()}
    stores = {store["image"] for store in catalogue["stores"].values()}
    assert bases | stores <= {image.name for image in images.stand_ins()}
    assert stores <= {image.name for image in images.stand_ins() if image.served}


def test_an_image_of_one_program_needs_no_builder(tmp_path: Path) -> None:
    program = tmp_path / "programs-1" / "pause"
    program.parent.mkdir()
    program.write_bytes(b"\x7fELF")
    path = archive.of_program(replace(LAYOUT, cache=tmp_path), "testbed.local/pause:1", program, quiet)
    with tarfile.open(path) as tar:
        manifest = json.loads(tar.extractfile("manifest.json").read())  # type: ignore[union-attr]
        config = json.loads(tar.extractfile(manifest[0]["Config"]).read())  # type: ignore[union-attr]
    assert manifest[0]["RepoTags"] == ["testbed.local/pause:1"]
    assert config["config"]["Entrypoint"] == ["/pause"]


def test_certificates_are_made_once_and_anew_for_other_addresses(tmp_path: Path) -> None:
    from cryptography import x509

    here = replace(LAYOUT, state=tmp_path)
    certificates.prepare(here)
    first = (here.pki / "apiserver.crt").read_bytes()
    names = x509.load_pem_x509_certificate(first).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert ipaddress.ip_address(here.node_address) in names.get_values_for_type(x509.IPAddress)
    certificates.prepare(here)
    assert (here.pki / "apiserver.crt").read_bytes() == first
    certificates.prepare(replace(here, network=ipaddress.IPv4Network("10.232.0.0/16")))
    assert (here.pki / "apiserver.crt").read_bytes() != first
    assert here.kubeconfig.stat().st_mode & 0o777 == 0o600
    assert json.loads(here.kubeconfig.read_text())["current-context"] == "nextai-testbed"


def test_only_the_testbeds_own_processes_are_ended() -> None:
    table = {
        1: RunningProcess(0, "/sbin/init", ("init",)),
        10: RunningProcess(1, "/usr/bin/python3", ("invoke", "testbed.down")),
        20: RunningProcess(1, "/cache/testbed/debian/forky-1/usr/bin/etcd", ("etcd", "--data-dir=/var/lib/tb/etcd")),
        21: RunningProcess(20, "/usr/bin/sleep", ("sleep", "9")),
        30: RunningProcess(1, "/usr/bin/etcd", ("etcd", "--data-dir=/var/lib/etcd")),
        31: RunningProcess(1, "/cache/testbed/debian/forky-1/usr/bin/docker", ("docker", "ps")),
        40: RunningProcess(1, "/usr/bin/dockerd", ("dockerd",)),
    }
    assert processes.ours(LAYOUT, table, {40}, {10, 1}) == {20, 21, 40}
    assert processes.ours(LAYOUT, table, {1, 10}, {10, 1}) & {1, 10} == set()


def test_mounts_are_taken_innermost_first_and_only_below_the_state_folder() -> None:
    text = (
        "22 1 0:1 / /var/lib/tb rw - ext4 /dev/a rw\n"
        "23 1 0:2 / /var/lib/tb/kubelet/pods/a/b rw - tmpfs t rw\n"
        "24 1 0:2 / /var/lib/tb/kubelet/pods/a/b\\040c/d rw - tmpfs t rw\n"
        "25 1 0:2 / /var/lib/tbx/other rw - tmpfs t rw\n"
    )
    assert cleanup.mounted(text, "/var/lib/tb") == ["/var/lib/tb/kubelet/pods/a/b c/d", "/var/lib/tb/kubelet/pods/a/b"]


def test_control_groups_of_either_version_are_found() -> None:
    assert cgroups.hierarchies("cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n") == [Path("/sys/fs/cgroup")]
    v1 = "tmpfs /sys/fs/cgroup tmpfs rw 0 0\ncgroup /sys/fs/cgroup/cpu cgroup rw 0 0\ncgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n"
    assert cgroups.hierarchies(v1) == [Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup/unified")]


def test_a_testbed_that_is_named_needs_a_kubeconfig_and_a_registry(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "config"
    with pytest.raises(UsageError, match="NEXTAI_TESTBED_KUBECONFIG"):
        existing.up({existing.KUBECONFIG: str(kubeconfig)})
    kubeconfig.write_text("current-context: mine\n")
    with pytest.raises(UsageError, match="NEXTAI_TESTBED_REGISTRY"):
        existing.up({existing.KUBECONFIG: str(kubeconfig)})


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a `docker`, and a `kubectl` that fails as often as the file `fails` has lines."""
    (tmp_path / "fails").write_text("")
    kubectl = f"""#!/bin/sh
echo >> {tmp_path}/asked
[ "$(wc -l < {tmp_path}/asked)" -gt "$(wc -l < {tmp_path}/fails)" ] && exit 0
echo "Error from server (ServiceUnavailable): wait" >&2
exit 1
"""
    for name, text in (("kubectl", kubectl), ("docker", "#!/bin/sh\n")):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return tmp_path


@pytest.mark.parametrize(("fails", "there"), [(0, True), (2, True), (9, False)])
def test_a_named_cluster_is_asked_again_when_it_fails_once(programs: Path, fails: int, there: bool) -> None:
    (programs / "fails").write_text("x\n" * fails)
    (programs / "config").write_text("current-context: mine\nextension: =\n")  # as Go's programs read it, `=` is a text
    environ = {existing.KUBECONFIG: str(programs / "config"), existing.REGISTRY: "127.0.0.1:5055"}
    found = existing.running(environ)
    assert (found.context if found else None) == ("mine" if there else None)
    assert len((programs / "asked").read_text().splitlines()) == min(fails + 1, 4)


def test_a_kubeconfig_that_is_no_yaml_is_named(programs: Path) -> None:
    (programs / "config").write_text("token: [canary")
    with pytest.raises(UsageError, match="it is no YAML") as told:
        existing.up({existing.KUBECONFIG: str(programs / "config"), existing.REGISTRY: "127.0.0.1:5055"})
    assert "canary" not in str(told.value)


def test_a_named_cluster_that_does_not_answer_is_said_with_its_context(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "config"
    document = {
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
        "contexts": [{"name": "mine", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": {}}],
        "current-context": "mine",
    }
    kubeconfig.write_text(json.dumps(document))
    environ = {existing.KUBECONFIG: str(kubeconfig), existing.REGISTRY: "127.0.0.1:5055"}
    with pytest.raises(Failure, match="context mine"):
        existing.up(environ)
    assert existing.running(environ) is None


def test_a_stand_in_is_built_again_where_its_packages_could_not_be_fetched_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = replace(LAYOUT, state=tmp_path)
    here.bin.mkdir()
    docker = here.bin / "docker"
    counted = 'cd "$(dirname "$0")"; echo try >> tries; echo "E: Failed to fetch libatomic1"'
    docker.write_text(f'#!/bin/sh\n{counted}\ntest "$(wc -l < tries)" -ge "$(cat enough)"\n')
    docker.chmod(0o755)
    monkeypatch.setattr(images, "BUILDING", replace(images.BUILDING, first=0.01))
    node = next(image for image in images.stand_ins() if image.folder == "node")
    (here.bin / "enough").write_text("2")
    images._make(here, node, "key", tmp_path)
    assert (here.bin / "tries").read_text().count("try") == 3  # two to build it, one to save it
    (here.bin / "enough").write_text("9")
    with pytest.raises(Failure, match="Failed to fetch libatomic1") as caught:
        images._make(here, node, "key", tmp_path)
    assert "tried 3 times" in caught.value.cause

"""Which cluster is meant, what is rendered for it, and when its lock has lapsed."""

import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ops.catalog.model import Cluster
from ops.cluster.lock import expired
from ops.cluster.target import Target, resolve_target
from ops.errors import Exit, Failure, Refused, UsageError
from ops.kube.connect import connect
from ops.manifests.render import render
from tests.integration.small_platform import REGISTRY, Platform

ONE, TWO = "sha256:" + "1" * 64, "sha256:" + "2" * 64


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    return Platform(tmp_path, {"ct-web": ONE, "ct-migrate": ONE, "ct-store": ONE})


@dataclass(frozen=True)
class Bed:
    kubeconfig: Path
    context: str = "bed"
    kubectl: Path = Path("kubectl")


def kubeconfig(file: Path, contexts: Mapping[str, str]) -> Path:
    clusters = [{"name": name, "cluster": {"server": server}} for name, server in contexts.items()]
    named = [{"name": name, "context": {"cluster": name, "user": "me"}} for name in contexts]
    users = [{"name": "me", "user": {"token": "t"}}]
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "Config", "clusters": clusters, "contexts": named, "users": users}))
    return file


def resolved(platform: Platform, env: str = "staging", bed: Bed | None = None, belongs: str = "https://k8s.staging.test:6443") -> Target:
    catalog = platform.catalog()
    cluster = Cluster("nextai-staging", belongs)
    environments = {
        "staging": replace(catalog.environments["staging"], cluster=cluster),
        "local": replace(catalog.environments["staging"], name="local", kind="local"),
    }
    return resolve_target(replace(catalog, environments=environments), env, bed)


def test_an_environment_goes_to_its_own_cluster(platform: Platform, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path / "c", {"nextai-staging": "https://K8S.staging.test:6443/"})))
    target = resolved(platform)
    assert (target.context, target.rehearsal) == ("nextai-staging", False)


def test_a_context_that_leads_elsewhere_is_refused(platform: Platform, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path / "c", {"nextai-staging": "https://k8s.production.test:6443"})))
    with pytest.raises(Refused, match=r"nextai-staging is for https://k8s\.production\.test:6443.*is deployed to https://k8s\.staging"):
        resolved(platform)


PROXY = "https://proxy.test/k8s/clusters"


@pytest.mark.parametrize(
    ("server", "same"),
    [
        (f"{PROXY}/c-stage", True),
        ("https://PROXY.test:443/k8s/clusters/c-stage/", True),
        ("https://proxy.test./k8s/clusters/c%2Dstage", True),
        (f"{PROXY}/c-prod", False),
        (f"{PROXY}/C-STAGE", False),
        ("https://proxy.test", False),
        ("http://proxy.test:443/k8s/clusters/c-stage", False),
        ("https://proxy.test:6443/k8s/clusters/c-stage", False),
        ("https://proxy.test:0/k8s/clusters/c-stage", False),
    ],
)
def test_scheme_host_port_and_path_tell_clusters_apart(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, server: str, same: bool
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path / "c", {"nextai-staging": server})))
    if same:
        assert resolved(platform, belongs=f"{PROXY}/c-stage").server == server
    else:
        with pytest.raises(Refused, match="is deployed to"):
            resolved(platform, belongs=f"{PROXY}/c-stage")


@pytest.mark.parametrize("server", ["https://k8s.staging.test:x", "https://k8s.staging.test:99999", "https://[::1"])
def test_an_address_that_is_none_is_no_environments(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, server: str
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path / "c", {"nextai-staging": server})))
    with pytest.raises(Refused, match="is deployed to"):
        resolved(platform)


def test_a_kubeconfig_without_the_context_names_the_context_and_what_it_has(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path / "c", {"minikube": "https://127.0.0.1:1"})))
    with pytest.raises(UsageError, match="nextai-staging") as wrong:
        resolved(platform)
    assert "minikube" in wrong.value.cause


@pytest.mark.parametrize("text", [None, "just words", "a: [1", "\ta: 1"])
def test_a_kubeconfig_that_is_missing_or_broken_is_named(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str | None
) -> None:
    file = tmp_path / "config"
    if text is not None:
        file.write_text(text)
    monkeypatch.setenv("KUBECONFIG", str(file))
    with pytest.raises(UsageError) as wrong:
        resolved(platform)
    assert str(file) in str(wrong.value)


def test_of_two_kubeconfigs_the_first_that_has_the_name_wins(platform: Platform, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    first = kubeconfig(tmp_path / "a", {"nextai-staging": "https://k8s.staging.test:6443"})
    second = kubeconfig(tmp_path / "b", {"nextai-staging": "https://elsewhere.test"})
    monkeypatch.setenv("KUBECONFIG", f"{first}:{second}")
    assert resolved(platform).server == "https://k8s.staging.test:6443"


@pytest.mark.parametrize(("env", "words"), [("stagging", "no environment stagging"), ("local", "not a cluster")])
def test_an_environment_that_is_none_is_a_usage_error(platform: Platform, env: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        resolved(platform, env)


def test_a_testbed_takes_the_place_of_any_cluster(platform: Platform, tmp_path: Path) -> None:
    target = resolved(platform, bed=Bed(kubeconfig(tmp_path / "c", {"bed": "https://127.0.0.1:1"})))
    assert (target.context, target.rehearsal, target.server) == ("bed", True, "https://127.0.0.1:1")


@pytest.fixture
def silent() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield int(listener.getsockname()[1])


@pytest.fixture
def plain() -> Iterator[int]:
    """A port where something else than TLS is spoken."""
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def closed_port() -> int:
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.mark.parametrize("kind", ["silent", "closed", "plain"])
def test_a_cluster_that_does_not_answer_is_said_within_five_seconds(
    platform: Platform, tmp_path: Path, silent: int, plain: int, kind: str
) -> None:
    port = {"silent": silent, "closed": closed_port(), "plain": plain}[kind]
    server = f"https://127.0.0.1:{port}"
    target = resolved(platform, bed=Bed(kubeconfig(tmp_path / "c", {"bed": server})))
    started = time.monotonic()
    with pytest.raises(Failure, match="does not answer") as failed, connect(target):
        pass
    assert time.monotonic() - started < 5.5
    assert "bed" in failed.value.doing
    assert failed.value.code == Exit.FAILED


def rendered(platform: Platform, **digests: str) -> list[dict[str, Any]]:
    platform.write()
    catalog = platform.catalog()
    return list(render(catalog, catalog.environments["staging"], {**platform.digests, **digests}).objects)


def test_every_image_of_ours_gets_its_digest(platform: Platform) -> None:
    objects = rendered(platform, **{"ct-web": TWO})
    images = {o["kind"]: o["spec"]["template"]["spec"]["containers"][0]["image"] for o in objects if "template" in o.get("spec", {})}
    assert images["Deployment"] == f"{REGISTRY}/nextai/ct-web@{TWO}"
    assert images["Job"] == f"{REGISTRY}/nextai/ct-migrate@{ONE}"
    assert images["StatefulSet"] == platform.store_image


def test_a_job_is_named_after_its_content(platform: Platform) -> None:
    def name(**digests: str) -> str:
        return str(next(o["metadata"]["name"] for o in rendered(platform, **digests) if o["kind"] == "Job"))

    assert name() == name(**{"ct-web": TWO})
    assert name() != name(**{"ct-migrate": TWO})
    assert name().startswith("ct-migrate-")


def test_every_image_that_is_wrong_is_named_at_once(platform: Platform) -> None:
    platform.digests["ct-web"] = "latest"
    folder = platform.write()
    objects = (folder / "objects.json").read_text().replace(platform.store_image, "postgres:latest")
    (folder / "objects.json").write_text(objects.replace("/ct-migrate", "/ct-migrat"))
    catalog = platform.catalog()
    with pytest.raises(UsageError) as wrong:
        render(catalog, catalog.environments["staging"], platform.digests)
    lines = wrong.value.cause.splitlines()
    assert len(lines) == 3
    assert any("ct-web" in line and "no digest" in line for line in lines)
    assert any("postgres:latest is no image of the catalogue" in line for line in lines)
    assert any("ct-migrat is no image" in line for line in lines)


def test_a_manifest_that_kustomize_refuses_is_named(platform: Platform) -> None:
    folder = platform.write()
    (folder / "kustomization.yaml").write_text("resources: [nowhere.yaml]")
    catalog = platform.catalog()
    with pytest.raises(Failure, match=r"nowhere\.yaml"):
        render(catalog, catalog.environments["staging"], platform.digests)


@pytest.mark.parametrize(("seconds", "holder", "expected"), [(5, "me", False), (29, "me", False), (31, "me", True), (5, "", True)])
def test_a_lock_lapses_thirty_seconds_after_its_last_sign_of_life(seconds: int, holder: str, expected: bool) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    renewed = (now - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    lease: Any = {"spec": {"holderIdentity": holder, "leaseDurationSeconds": 30, "renewTime": renewed}}
    assert expired(lease, now) is expected

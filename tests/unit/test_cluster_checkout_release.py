"""What a deploy takes from a checkout that is a release, and what from any other: against a real repository and a small registry."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ops import catalog
from ops.background import begin
from ops.catalog import Catalog
from ops.cluster.target import Target
from ops.errors import Failure, Refused
from ops.images.model import BuildEngine, BuildPlan, Inputs, Planned
from ops.manifests.render import Rendered
from ops.release.annotation import message
from ops.verbs import build as images
from ops.verbs import checkout
from ops.verbs import deploy as verb
from tests.unit.release_clone import git

BUILT = "sha256:" + "b" * 64


class Registry(BaseHTTPRequestHandler):
    """It has every digest but those in `lacking`, and no tag."""

    def do_HEAD(self) -> None:
        name, _, asked = self.path.removeprefix("/v2/").partition("/manifests/")
        there = asked.startswith("sha256:") and name not in self.server.lacking  # type: ignore[attr-defined]
        self.send_response(200 if there else 404)
        self.send_header("Docker-Content-Digest", asked)
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None: ...


@pytest.fixture
def registry() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    server.lacking = set()  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


@pytest.fixture
def platform(tmp_path: Path, registry: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch) -> Catalog:
    """The catalogue with this registry, in a repository of one commit. What would be built is `BUILT`."""
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "A")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "a@example.org")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    root = tmp_path / "a checkout"
    root.mkdir()
    git(root, "init", "-q", "-b", "main")
    (root / "a").write_text("1")
    git(root, "add", "a")
    git(root, "commit", "-qm", "feat: a")
    made = replace(catalog.load(), root=root, registry=f"127.0.0.1:{registry.server_address[1]}")
    monkeypatch.setattr(images, "planned", lambda *_, **__: (BuildEngine(), BuildPlan(root, True, ())))
    monkeypatch.setattr(images, "publish", lambda *_: dict.fromkeys(made.images, BUILT))
    monkeypatch.setattr(images, "engine_of", lambda *_, **__: BuildEngine(registry=made.registry))
    return made


def released(platform: Catalog, **changed: str) -> dict[str, str]:
    """Tag HEAD as a release does; the digests by name."""
    digests = {name: f"sha256:{number:064x}" for number, name in enumerate(platform.images)} | changed
    text = message(platform.platform, "1.2.3", {platform.repository(name): digest for name, digest in digests.items()}, "## 1.2.3\n")
    git(platform.root, "tag", "-a", "v1.2.3", "-m", text)
    return digests


def target(platform: Catalog, *, rehearsal: bool = False) -> Target:
    return Target(platform.environments["staging"], None, "a", "https://127.0.0.1", rehearsal=rehearsal)


def taken(
    platform: Catalog,
    monkeypatch: pytest.MonkeyPatch,
    *,
    rehearsal: bool = False,
    overlay: "Future[str] | None" = None,
    rendering: Callable[[], object] = str,
) -> tuple[dict[str, str], str, str]:
    """The digests, the version and the commit that a plan is made of. `rendering` happens meanwhile."""
    found: list[tuple[dict[str, str], str, str]] = []

    def render(_: object, __: object, digests: dict[str, str], ___: object) -> Rendered:
        rendering()
        return Rendered((), digests)

    def plan_deploy(_: object, __: object, rendered: Rendered, *, migrations: object, commit: str = "", version: str = "") -> object:
        found.append((dict(rendered.digests), version, commit))
        return type("Decided", (), {"problems": ()})

    monkeypatch.setattr(verb, "render", render)
    monkeypatch.setattr(verb, "plan_deploy", plan_deploy)
    where = target(platform, rehearsal=rehearsal)
    asked = replace(checkout.begin_reading(platform, where), overlay=overlay)
    verb._planned(platform, type("C", (), {"cluster": where}), asked)  # type: ignore[arg-type]
    return found[0]


def built(platform: Catalog) -> tuple[dict[str, str], str, str]:
    return dict.fromkeys(platform.images, BUILT), "", git(platform.root, "rev-parse", "HEAD")


@pytest.mark.parametrize(
    ("change", "now"),
    [(lambda root: git(root, "commit", "-q", "--allow-empty", "-m", "feat: b"), ""), (lambda root: (root / "b").touch(), " with changes")],
)
def test_a_checkout_that_is_changed_while_images_are_built_is_not_deployed(
    platform: Catalog, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], object], now: str
) -> None:
    before = git(platform.root, "rev-parse", "HEAD")[:7]
    missing = Planned("web", "f" * 64, "registry.example/p/web:x", "build", Inputs("Dockerfile", "", "linux/amd64", {}, {}, ()))
    monkeypatch.setattr(images, "planned", lambda *_, **__: (BuildEngine(), BuildPlan(platform.root, True, (missing,))))
    monkeypatch.setattr(images, "publish", lambda *_: change(platform.root))
    with pytest.raises(Refused) as refusal:
        taken(platform, monkeypatch, overlay=begin(str))
    assert f"it was at {before}, and is at {git(platform.root, 'rev-parse', 'HEAD')[:7]}{now}" in refusal.value.cause


def test_a_checkout_that_is_changed_while_kustomize_is_built_is_not_deployed(platform: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    released(platform)
    with pytest.raises(Refused, match="was changed while images were built"):
        taken(platform, monkeypatch, rendering=(platform.root / "b").touch)


def test_a_release_is_deployed_with_the_digests_and_the_version_of_its_tag(platform: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    digests = released(platform)
    assert taken(platform, monkeypatch) == (digests, "1.2.3", git(platform.root, "rev-parse", "HEAD"))
    git(platform.root, "checkout", "-q", "--detach")  # as a workflow checks a tag out
    assert taken(platform, monkeypatch)[:2] == (digests, "1.2.3")


def test_what_is_no_release_is_built_from_its_files(platform: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    assert taken(platform, monkeypatch) == built(platform)
    git(platform.root, "tag", "v1.0.0")
    git(platform.root, "tag", "-a", "v1.0.1", "-m", "by hand, of no images")
    assert taken(platform, monkeypatch) == built(platform)


def test_a_commit_after_the_release_is_built_from_its_files(platform: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    released(platform)
    git(platform.root, "commit", "-q", "--allow-empty", "-m", "feat: b")
    assert taken(platform, monkeypatch) == built(platform)


@pytest.mark.parametrize("file", ["a", "new"])
def test_a_release_with_changes_is_none(platform: Catalog, monkeypatch: pytest.MonkeyPatch, file: str) -> None:
    """An untracked file goes into images as a changed one does; the commit says so with a plus sign."""
    released(platform)
    (platform.root / file).write_text("2")
    digests, version, commit = taken(platform, monkeypatch)
    assert (digests, version) == built(platform)[:2]
    assert commit == git(platform.root, "rev-parse", "HEAD") + "+"


def test_an_untracked_file_is_seen_whatever_the_settings_of_git(platform: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    git(platform.root, "config", "status.showUntrackedFiles", "no")
    (platform.root / "new").write_text("2")
    assert taken(platform, monkeypatch)[2].endswith("+")


def test_a_release_whose_image_the_registry_lacks_is_refused(
    platform: Catalog, registry: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    digests = released(platform)
    registry.lacking.add(f"{platform.prefix}/web")  # type: ignore[attr-defined]
    with pytest.raises(Refused) as refusal:
        taken(platform, monkeypatch)
    assert "v1.2.3" in refusal.value.doing
    assert f"{platform.repository('web')}@{digests['web']}" in refusal.value.cause and "api-gateway" not in refusal.value.cause
    assert "invoke build --push" in refusal.value.remedy


def test_a_release_that_does_not_name_an_image_is_refused(platform: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    released(platform, web="sha256:short")
    with pytest.raises(Refused, match="names no digest for web"):
        taken(platform, monkeypatch)


def test_a_registry_that_does_not_answer_is_no_reason_to_build(platform: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    silent = replace(platform, registry="127.0.0.1:1")
    monkeypatch.setattr(images, "engine_of", lambda *_, **__: BuildEngine(registry=silent.registry))
    released(silent)
    with pytest.raises(Failure, match="asking the registry"):
        taken(silent, monkeypatch)


def test_a_rehearsal_of_a_release_builds_what_the_testbed_has_not_got(
    platform: Catalog, registry: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    digests = released(platform)
    assert taken(platform, monkeypatch, rehearsal=True)[:2] == (digests, "1.2.3")
    registry.lacking.add(f"{platform.prefix}/web")  # type: ignore[attr-defined]
    assert taken(platform, monkeypatch, rehearsal=True) == built(platform)

"""The plan, its reasons, and the bake file that follows from it."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from ops import catalog
from ops.checks import dockerfiles
from ops.command import Command
from ops.errors import Failure, UsageError
from ops.images import bake, facts, record
from ops.images.build import _alone
from ops.images.dockerfile import read
from ops.images.facts import ImageFacts
from ops.images.key import key
from ops.images.model import Base, BuildEngine, BuildPlan, InputFile, Inputs, Planned
from ops.images.plan import _inputs, ignored, select
from ops.images.plan import decide as decided
from ops.images.recipe import check, parse
from ops.images.registry import digests, is_loopback, reference
from ops.testbed import Testbed
from ops.verbs import build as verb

CATALOG = catalog.load()
DIGEST = "sha256:" + "5" * 64
BASE = Base("node:24-trixie-slim", DIGEST, f"node:24-trixie-slim@{DIGEST}")
INPUTS = Inputs(
    "infra/docker/node.Dockerfile",
    "ARG NODE_IMAGE\nFROM ${NODE_IMAGE}\nARG PORT APP_VERSION\n",
    "linux/amd64",
    {"PORT": "8082"},
    {"NODE_IMAGE": BASE},
    (InputFile("a", "100644", "a" * 40), InputFile("b", "100644", "b" * 40)),
)


def decide(present: str | None, known: record.Known | None = None, inputs: Inputs = INPUTS, *, push: bool = True) -> Planned:
    name = "registry.example/p/user-service:x"
    plan = decided(CATALOG, {"user-service": inputs}, {"user-service": name}, {name: present}, push=push, known=lambda _: known)
    return plan.images[0]


def remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inputs: Inputs) -> record.Known | None:
    monkeypatch.setenv("NEXTAI_CACHE", str(tmp_path))
    record.remember(CATALOG.root, Planned("user-service", key(inputs), "r", "build", inputs))
    return record.recall(CATALOG.root, "user-service")


def test_what_is_there_is_not_built_and_what_is_not_is() -> None:
    assert (decide(DIGEST).action, decide(DIGEST).digest, decide(DIGEST).reasons) == ("present", DIGEST, ())
    assert (decide(None).action, decide(None).reasons) == ("build", ("first build on this machine, of 2 files",))


@pytest.mark.parametrize(
    ("after", "reason"),
    [
        (replace(INPUTS, entries=(InputFile("a", "100644", "c" * 40), INPUTS.entries[1])), "changed: a"),
        (replace(INPUTS, entries=(InputFile("a", "100755", "a" * 40), INPUTS.entries[1])), "mode changed: a (100644 → 100755)"),
        (replace(INPUTS, entries=INPUTS.entries[:1]), "gone: b"),
        (replace(INPUTS, entries=(*INPUTS.entries, InputFile("c\n", "100644", "a" * 40))), r"new: c\n"),
        (replace(INPUTS, entries=(InputFile("a", "100644", "c" * 40, "text"), INPUTS.entries[1])), "changed: its part of a"),
        (replace(INPUTS, arguments={"PORT": "8083"}), "argument PORT: 8082 → 8083"),
        (replace(INPUTS, recipe="FROM scratch"), "changed: infra/docker/node.Dockerfile"),
        (replace(INPUTS, platform="linux/arm64"), "platform: linux/amd64 → linux/arm64"),
        (
            replace(INPUTS, bases={"NODE_IMAGE": replace(BASE, digest="sha256:" + "6" * 64)}),
            "base image node:24-trixie-slim: 555555555555 → 666666666666",
        ),
    ],
)
def test_a_miss_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: Inputs, reason: str) -> None:
    known = remembered(tmp_path, monkeypatch, INPUTS)
    assert decide(None, known, after).reasons == (reason,)


def test_a_miss_without_a_change_is_explained_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert decide(None, remembered(tmp_path, monkeypatch, INPUTS)).reasons == (
        "nothing changed since the last build; the image is not there",
    )


def test_a_spoilt_record_is_no_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remembered(tmp_path, monkeypatch, INPUTS)
    for file in tmp_path.glob("images/*/user-service.json"):
        file.write_text("{")
    assert record.recall(CATALOG.root, "user-service") is None


def test_the_record_is_written_when_something_else_went_in_and_only_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remembered(tmp_path, monkeypatch, INPUTS)
    (file,) = tmp_path.glob("images/*/user-service.json")
    before = file.stat()
    remembered(tmp_path, monkeypatch, INPUTS)
    assert file.stat() == before
    known = remembered(tmp_path, monkeypatch, replace(INPUTS, platform="linux/arm64"))
    assert known is not None
    assert known.facets["platform"] == {"platform": "linux/arm64"}
    file.write_text("{")
    assert remembered(tmp_path, monkeypatch, INPUTS) is not None
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_an_unknown_image_is_named_with_those_there_are() -> None:
    with pytest.raises(UsageError, match="unknown: nothing, other") as raised:
        select(CATALOG, ["web", "other", "nothing"])
    assert "user-service" in raised.value.remedy


def test_only_the_arguments_that_the_dockerfile_asks_for_are_inputs() -> None:
    image = CATALOG.images["user-service"]
    facts = ImageFacts("linux/amd64", {BASE.reference: BASE}, {image.dockerfile: read(INPUTS.recipe)}, {image.name: INPUTS.entries})
    assert _inputs(image, facts) == INPUTS
    facts = replace(facts, recipes={image.dockerfile: read("FROM scratch\nARG USER_ID=1 SERVICE_PATH\n")})
    assert _inputs(image, facts).arguments == {"SERVICE_PATH": "services/user-service", "USER_ID": "1001"}
    assert _inputs(image, facts).bases == {}


MOVING = [
    ("FROM scratch", "FROM debian:13"),
    ("COPY --from=build", "COPY --from=helper:1"),
    ("RUN ", "RUN --mount=from=helper:1,target=/x "),
    ("COPY . ", "ADD https://example.org/a /a\nCOPY . "),
    ("ARG GO_IMAGE", "# syntax=docker/dockerfile:1\nARG GO_IMAGE"),
]


@pytest.mark.parametrize(("old", "new"), MOVING, ids=["FROM", "COPY --from", "RUN --mount", "ADD", "syntax"])
def test_a_dockerfile_that_names_what_moves_is_refused_by_the_build_and_by_lint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str
) -> None:
    image = CATALOG.images["api-gateway"]
    text = (CATALOG.root / image.dockerfile).read_text()
    check(image, parse(image.dockerfile, text))
    changed = text.replace(old, new, 1)
    assert changed != text
    monkeypatch.setenv("NEXTAI_CACHE", str(tmp_path))
    monkeypatch.setattr(facts, "digests", lambda asked, _: dict.fromkeys(asked, DIGEST))
    monkeypatch.setattr(facts, "_recipe", lambda *_: changed)
    with pytest.raises(UsageError, match="this could change without a new key") as raised:
        verb.build(["api-gateway"], push=True, explain=False, testbed=False, dry_run=True)
    assert "go.Dockerfile" in raised.value.doing
    line = next(number for number, (was, now) in enumerate(zip(text.splitlines(), changed.splitlines(), strict=False), 1) if was != now)
    assert re.search(rf"line ({line}|{line - 1}):", raised.value.cause)  # a RUN begins a line earlier
    root = tmp_path / "root"
    for each in CATALOG.images.values():
        (root / each.dockerfile).parent.mkdir(parents=True, exist_ok=True)
        (root / each.dockerfile).write_text(changed if each is image else (CATALOG.root / each.dockerfile).read_text())
    with pytest.raises(UsageError, match="this could change without a new key"):
        dockerfiles.check(replace(CATALOG, root=root))
    assert dockerfiles.check(CATALOG) == 5


@pytest.mark.parametrize("change", ["link", "folder", "bytes", "gone"])
def test_a_dockerfile_that_is_no_plain_file_is_named(tmp_path: Path, change: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/Dockerfile").write_bytes(b"FROM scratch\n\xff" if change == "bytes" else b"FROM scratch\n")
    root = tmp_path / "root"
    root.mkdir()
    if change == "folder":
        (root / "x").symlink_to(tmp_path / "elsewhere")
    else:
        (root / "x").mkdir()
    if change in ("link", "bytes"):
        (root / "x/Dockerfile").symlink_to(tmp_path / "elsewhere/Dockerfile")
    if change == "bytes":
        (root / "x/Dockerfile").unlink()
        (root / "x/Dockerfile").write_bytes(b"\xff")
    with pytest.raises(Failure, match="x/Dockerfile: ") as raised:
        facts._recipe(root, "x/Dockerfile")
    assert ("symbolic link" in raised.value.cause) == (change in ("link", "folder"))


def test_a_name_that_is_not_utf8_is_named() -> None:
    image = CATALOG.images["user-service"]
    entries = (InputFile("a", "100644", "a" * 40), InputFile("services/ü/z\udcff\n", "100644", "a" * 40))
    facts = ImageFacts("linux/amd64", {BASE.reference: BASE}, {image.dockerfile: read(INPUTS.recipe)}, {image.name: entries})
    with pytest.raises(UsageError, match="user-service: the name of services/ü/") as raised:
        _inputs(image, facts)
    assert r"services/ü/z\xff\n is not UTF-8" in raised.value.cause


def test_a_dockerignore_that_is_not_heeded_is_told(tmp_path: Path) -> None:
    for name in (".dockerignore", "infra/docker/node.Dockerfile.dockerignore"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    entry = InputFile("services/a/.dockerignore", "100644", "a" * 40)
    told = list(ignored(tmp_path, [replace(INPUTS, entries=(entry,)), INPUTS]))
    assert [line.split()[0] for line in told] == [".dockerignore", "infra/docker/node.Dockerfile.dockerignore", "services/a/.dockerignore"]
    assert list(ignored(tmp_path / "infra", [replace(INPUTS, entries=(entry._replace(path=".dockerignore"),))])) == []
    plan = replace(decided(CATALOG, {}, {}, {}, push=True, known=lambda _: None), notes=tuple(told))
    assert plan.lines()[-1] == f"note: {told[-1]}"
    assert plan.document()["notes"] == told


def test_two_images_of_one_key_are_locked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEXTAI_CACHE", str(tmp_path))
    service = Planned("service", "f" * 64, "r/service:f", "build", INPUTS)
    with _alone((service, replace(service, name="job", reference="r/job:f")), lambda _: None):
        assert len(list((tmp_path / "images/locks").iterdir())) == 1


def test_the_bake_file_builds_from_the_digest_and_its_templates_are_escaped() -> None:
    planned = Planned("user-service", "f" * 64, "registry.example/p/user-service:x", "build", INPUTS)
    versions = bake.versions_of({"user-service": {bake.CONFIG: "sha256:" + "e" * 64}}, ["user-service"])
    document = json.loads(json.dumps(bake.bakefile({Path("/w/${x}/user-service"): planned}, push=True, versions=versions)))
    target = document["target"]["user-service"]
    assert target["args"]["NODE_IMAGE"] == BASE.name
    assert target["args"]["APP_VERSION"] == target["labels"]["org.opencontainers.image.version"] == "e" * 12
    assert "FROM $${NODE_IMAGE}" in target["dockerfile-inline"]
    assert target["context"] == "/w/$${x}/user-service"
    assert target["output"] == ["type=image,push=true"]
    assert document["group"] == {"default": {"targets": ["user-service"]}}
    bare = bake.bakefile({Path("/w/user-service"): planned}, push=True)["target"]
    assert isinstance(bare, dict)
    assert bare["user-service"]["output"] == ["type=image"]
    assert bare["user-service"]["args"]["APP_VERSION"] == ""
    assert not bare["user-service"].keys() & {"tags", "labels"}


def test_the_builders_error_is_told_with_its_step_and_log() -> None:
    told: list[str] = []
    events = bake.BuildEvents(told.append)
    vertexes = [
        {
            "digest": "1",
            "name": "[web build 2/3] RUN  a   b",
            "started": "2026-01-01T00:00:00.5Z",
            "completed": "2026-01-01T00:00:02.123456789Z",
        },
        {"digest": "2", "name": "[api build 2/3] RUN c", "error": "context canceled: context canceled"},
        {"digest": "3", "name": "[web build 3/3] RUN make", "error": "exit code: 2"},
        {"digest": "4", "name": "[internal] load metadata", "started": "2026-01-01T00:00:00Z", "completed": "2026-01-01T00:00:00Z"},
    ]
    logs = [{"vertex": "3", "data": "bm8gc3Bh"}, {"vertex": "3", "data": "Y2UgbGVmdCBvbiBkZXZpY2UK"}]
    events.read(json.dumps({"vertexes": vertexes, "logs": logs}))
    events.read("ERROR: failed to solve\n")
    assert told == ["web build                RUN a b  1.6 s"]
    cause, words = events.failure()
    assert cause == "[web build 3/3] RUN make\nno space left on device\nexit code: 2"
    failure = bake._failure(Command(("x",), "building"), cause, words)
    assert "disk of the Docker engine is full" in failure.cause
    assert "prune" in failure.remedy


def test_a_refused_push_says_where_to_log_in() -> None:
    words = "failed to push registry.example:5/p/web:x: failed to authorize: 401 Unauthorized"
    assert bake._failure(Command(("x",), "building"), words, words).remedy.startswith("Run `docker login registry.example:5`")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("node:24", ("docker.io", "library/node", "24")),
        ("milvusdb/milvus", ("docker.io", "milvusdb/milvus", "latest")),
        ("127.0.0.1:5000/p/web:k", ("127.0.0.1:5000", "p/web", "k")),
        ("localhost/web:k", ("localhost", "web", "k")),
        (f"r.example/a/b/c:t@{DIGEST}", ("r.example", "a/b/c", DIGEST)),
    ],
)
def test_image_names_are_read_as_docker_reads_them(text: str, parts: tuple[str, str, str]) -> None:
    found = reference(text)
    assert (found.registry, found.repository, found.tag) == parts


def test_plain_http_is_for_this_machine_only() -> None:
    assert all(is_loopback(host) for host in ("127.0.0.1", "127.3.2.1", "localhost", "::1"))
    assert not any(is_loopback(host) for host in ("registry.example", "127.0.0.1.example", "10.0.0.1", "localhost.example"))


def test_a_registry_that_is_not_there_is_named_at_once(tmp_path: Path) -> None:
    name = reference("127.0.0.1:1/p/web:k")
    answer = digests([name], tmp_path)[name]
    assert isinstance(answer, Failure)
    assert "127.0.0.1:1" in answer.doing
    assert "refused" in answer.cause


def test_an_engine_that_is_not_there_is_named(tmp_path: Path) -> None:
    from ops.images.engine import connect

    with pytest.raises(Failure, match=f"unix://{tmp_path}/none.sock does not answer"):
        connect(BuildEngine(f"unix://{tmp_path}/none.sock"))


class Client:
    """An engine without images, on a machine that no cluster has."""

    def version(self) -> dict[str, str]:
        return {"Os": "linux", "Arch": "riscv64"}

    def inspect_image(self, name: str) -> None:
        """Nothing is there."""


def test_what_is_pushed_is_for_the_clusters_nodes_and_what_stays_here_for_the_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEXTAI_CACHE", str(tmp_path))
    for room in ("facts", "engine"):
        monkeypatch.setattr(f"ops.images.{room}.connect", lambda _: Client())
    monkeypatch.setattr(facts, "digests", lambda asked, _: dict.fromkeys(asked, DIGEST))
    planned: list[Planned] = []
    monkeypatch.setattr(verb, "_show", lambda decided, **_: planned.extend(decided.images))
    for push in (True, False):
        verb.build(["web"], push=push, explain=False, testbed=False, dry_run=True)
    planned.extend(verb.planned(CATALOG, ["web"], testbed=False)[1].images)  # for a deploy or a release
    assert [image.inputs.platform for image in planned] == [CATALOG.nodes, "linux/riscv64", CATALOG.nodes]
    assert (planned[0].digest, planned[1].digest) == (DIGEST, None)


def test_a_testbeds_images_are_for_its_own_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = Testbed("existing", "127.0.0.1:1", "unix:///x", tmp_path, tmp_path, "c", tmp_path, tmp_path)
    monkeypatch.setattr("ops.verbs.build.running_testbed", lambda flag: found if flag else None)
    assert verb.engine_of(CATALOG, testbed=True).platform is None


def test_an_image_is_told_by_the_registry_that_has_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = Testbed("existing", "127.0.0.1:1", "unix:///x", tmp_path, tmp_path, "c", tmp_path, tmp_path)
    monkeypatch.setattr("ops.verbs.build.running_testbed", lambda flag: found if flag else None)
    monkeypatch.setattr(verb, "plan", lambda *_, **__: BuildPlan(tmp_path, True, ()))
    monkeypatch.setattr(verb, "make", lambda *_, **__: {"web": DIGEST})
    for testbed, registry in ((True, "127.0.0.1:1"), (False, CATALOG.registry)):
        verb.build(["web"], push=True, explain=False, testbed=testbed, dry_run=False)
        assert capsys.readouterr().out.splitlines()[-1] == f"{registry}/{CATALOG.prefix}/web@{DIGEST}"


INDEX = "application/vnd.oci.image.index.v1+json"
SINGLE = "application/vnd.oci.image.manifest.v1+json"


@pytest.mark.parametrize(
    ("descriptor", "platform", "fits"),
    [
        ({"mediaType": SINGLE}, "linux/arm64", False),
        (None, "linux/arm64", False),  # an engine without the containerd store
        ({"mediaType": INDEX}, "linux/arm64", True),
        ({"mediaType": SINGLE}, "linux/amd64", True),
        ({"mediaType": SINGLE}, None, True),
    ],
)
def test_a_base_that_the_engine_has_for_another_platform_is_no_base(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, descriptor: dict[str, str] | None, platform: str | None, fits: bool
) -> None:
    class Engines:
        def inspect_image(self, _: str) -> dict[str, object]:
            found = {"Id": DIGEST, "RepoDigests": [f"node@{DIGEST}"], "Os": "linux", "Architecture": "amd64"}
            return {**found, "Descriptor": descriptor} if descriptor else {**found}

    monkeypatch.setenv("NEXTAI_CACHE", str(tmp_path))
    monkeypatch.setattr(facts, "digests", lambda asked, _: dict.fromkeys(asked))
    engine = BuildEngine(registry="r", platform=platform)
    if fits:
        assert facts._bases(["node:24"], engine, Engines()) == [Base("node:24", DIGEST, f"node:24@{DIGEST}")]  # type: ignore[arg-type]
        return
    with pytest.raises(Failure, match="the engine here does not have it for linux/arm64") as caught:
        facts._bases(["node:24"], engine, Engines())  # type: ignore[arg-type]
    assert caught.value.remedy == "Run `docker pull --platform linux/arm64 node:24` where its registry can be reached."


@pytest.mark.parametrize("engine_answers", [True, False])
@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Failure("asking it", "it refused (401 Unauthorized)", ""), "asking it: it refused (401 Unauthorized)"),
        (None, "docker.io has no such tag"),
    ],
)
def test_a_base_that_nobody_has_is_told_as_far_as_it_was_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: Failure | None, why: str, engine_answers: bool
) -> None:
    monkeypatch.setenv("NEXTAI_CACHE", str(tmp_path))
    monkeypatch.setattr(facts, "digests", lambda asked, _: dict.fromkeys(asked, answer))
    client = Client() if engine_answers else None
    engine = "the engine here does not have it" if engine_answers else "no Docker engine answers here"
    for _ in range(2):  # an answer that is no digest is not remembered
        with pytest.raises(Failure) as caught:
            facts._bases(["node:24"], BuildEngine(registry="r"), client)
        assert caught.value.cause == f"node:24: its registry did not give a digest ({why}), and {engine}"


def test_only_a_digest_is_remembered_and_the_engines_own_base_is_never_taken_without_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A registry that fails once gave, for ten minutes, the older base that the engine happened to have."""

    class Engines:
        def inspect_image(self, _: str) -> dict[str, object]:
            return {"Id": OLD, "RepoDigests": [f"node@{OLD}"], "Os": "linux", "Architecture": "amd64"}

    OLD = "sha256:" + "0" * 64
    monkeypatch.setenv("NEXTAI_CACHE", str(tmp_path))
    answers: list[str | Failure] = [Failure("asking the registry docker.io for library/node", "it answered 429", ""), DIGEST]
    monkeypatch.setattr(facts, "digests", lambda asked, _: dict.fromkeys(asked, answers.pop(0)))
    old, new, remembered = (facts._bases(["node:24"], BuildEngine(registry="r"), Engines())[0] for _ in range(3))  # type: ignore[arg-type]
    assert (old.digest, new.digest, remembered.digest, answers) == (OLD, DIGEST, DIGEST, [])
    said = capsys.readouterr().err
    assert said.count("warning:") == 1
    assert "node:24: the copy in this machine's engine is used, and may be older: docker.io: it answered 429" in said

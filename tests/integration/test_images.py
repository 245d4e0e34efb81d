"""Images for real: built, pushed, found again, and rebuilt only where something changed."""

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from ops.catalog.model import Catalog, Database, Job, Stack
from ops.engine import connection
from ops.errors import Failure
from ops.images import BuildEngine, build, plan, registry
from ops.images.build import _builder
from ops.images.engine import _Sdk, _Socket, connect
from ops.images.registry import digests, reference
from ops.retry import Policy
from ops.testbed import Testbed
from tests.integration import faults
from tests.uncached import build_without_cache

ROOT = Path(__file__).parents[2]
RECIPE = """\
ARG BASE
FROM ${BASE} AS build
ARG SERVICE_PATH
WORKDIR /src
COPY . .
RUN find . -type f -o -type l | LC_ALL=C sort > /listing && cat ${SERVICE_PATH}/main > /text
RUN find /listing /text -exec touch --date="@0" {} +

FROM scratch
COPY --from=build /listing /text /
ARG APP_VERSION
ENV APP_VERSION=${APP_VERSION}
CMD ["/none"]
"""


def git(root: Path, *arguments: str) -> None:
    subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments], cwd=root, check=True, capture_output=True)


@pytest.fixture
def catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Catalog]:
    """Two images, `one` and `two`, of a checkout with a space in its name; their names in the registry are this test's own."""
    monkeypatch.setenv("NEXTAI_CACHE", str(tmp_path / "cache"))
    root = tmp_path / "check out"
    for name in ("one", "two"):
        (root / name).mkdir(parents=True)
        (root / name / "main").write_text(f"{name}\n")
    (root / "Dockerfile").write_text(RECIPE)
    (root / ".gitignore").write_text("secret\n")
    (root / "one/secret").write_text("1")
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "x")
    stack = Stack("plain", "Dockerfile", {"BASE": "debian:trixie-slim"}, ("true",), 1001)
    jobs = {name: Job(name, stack, name, "Dockerfile", "n") for name in ("one", "two")}
    prefix = f"test-{uuid.uuid4().hex[:8]}"
    yield Catalog(root, "t", "r", prefix, "linux/amd64", {"plain": stack}, {}, jobs, {}, ("n",), Database("", "", "", "", ""), {}, {})


@pytest.fixture
def engine(testbed: Testbed) -> BuildEngine:
    return BuildEngine(testbed.docker_host, testbed.docker_config, testbed.registry)


def made(catalog: Catalog, engine: BuildEngine, *, push: bool = True) -> tuple[list[str], dict[str, str]]:
    """Plan and build: the names of what was to be built, and every digest."""
    decided = plan(catalog, [], engine, push=push)
    return [image.name for image in decided.missing], build(decided, engine, push, report=lambda _: None)


def content(engine: BuildEngine, image: str, path: str) -> str:
    """A file of an image, read through the engine."""
    env = {**os.environ, **engine.environment}
    container = subprocess.run(["docker", "create", image], env=env, check=True, capture_output=True, text=True).stdout.strip()
    try:
        archive = subprocess.run(["docker", "cp", f"{container}:{path}", "-"], env=env, check=True, capture_output=True).stdout
    finally:
        subprocess.run(["docker", "rm", container], env=env, check=True, capture_output=True)
    return subprocess.run(["tar", "-xO"], input=archive, check=True, capture_output=True).stdout.decode()


def test_a_second_build_does_nothing_and_a_changed_line_rebuilds_one_image(catalog: Catalog, engine: BuildEngine) -> None:
    missing, first = made(catalog, engine)
    assert missing == ["one", "two"]
    assert made(catalog, engine) == ([], first)

    # Of equal size, so that neither size nor date tells the builder of the change.
    (catalog.root / "one/main").write_text("ONE\n")
    decided = plan(catalog, [], engine, push=True)
    assert [(image.action, image.reasons) for image in decided.images] == [("build", ("changed: one/main",)), ("present", ())]
    second = build(decided, engine, True, report=lambda _: None)
    assert second["two"] == first["two"]
    assert second["one"] != first["one"]
    name = f"{engine.registry}/{catalog.prefix}/one@{second['one']}"
    assert content(engine, name, "/text") == "ONE\n"

    (catalog.root / "one/main").write_text("one\n")
    assert made(catalog, engine) == ([], first)


def test_another_key_of_the_same_content_is_the_same_image(catalog: Catalog, engine: BuildEngine) -> None:
    """What no image reads must roll nothing out, even where it is in the key."""
    (catalog.root / "Dockerfile").write_text(RECIPE.replace("find . -type f -o -type l", "echo ./one/main"))
    _, first = made(catalog, engine)
    (catalog.root / "one/unread").write_text("1")
    missing, second = made(catalog, engine)
    assert missing == ["one"]
    assert second == first
    (catalog.root / "one/main").write_text("ONE\n")
    _, third = made(catalog, engine)
    assert third["one"] != first["one"]
    env = {**os.environ, **engine.environment}
    asked = ("docker", "image", "inspect", "--format={{json .Config}}", f"{engine.registry}/{catalog.prefix}/one@{third['one']}")
    config = json.loads(subprocess.run(asked, env=env, check=True, capture_output=True).stdout)
    version = config["Labels"]["org.opencontainers.image.version"]
    assert f"APP_VERSION={version}" in config["Env"]
    assert len(version) == 12


def test_the_image_holds_what_was_hashed_and_the_registry_agrees_on_the_digest(catalog: Catalog, engine: BuildEngine) -> None:
    (catalog.root / "one/link").symlink_to("main")
    decided = plan(catalog, ["one"], engine, push=True)
    built = build(decided, engine, True, report=lambda _: None)
    name = reference(decided.images[0].reference)
    assert digests([name], engine.docker_config)[name] == built["one"]
    assert content(engine, str(name), "/listing").splitlines() == ["./one/link", "./one/main"]


@pytest.mark.parametrize("seed", [1, 2])
def test_images_are_pushed_though_the_registry_fails_one_request_in_five(
    catalog: Catalog, engine: BuildEngine, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(registry, "SECONDS", 1.0)
    met = faults.Faults(seed=seed, kinds=("429", "500", "503", "reset", "lost", "cut"))
    with faults.registry(engine.registry, met) as address:
        missing, built = made(catalog, replace(engine, registry=address))
        assert missing == ["one", "two"]
        assert made(catalog, replace(engine, registry=address)) == ([], built)
    assert met.total() > 1, met.met
    planned = plan(catalog, [], engine, push=True).images  # and now without faults: it is all there
    assert {image.name: image.digest for image in planned} == built


@pytest.mark.parametrize(
    ("kind", "words"), [("429", "it answered 429"), ("500", "it answered 500"), ("reset", "reset|aborted|closed"), ("silent", "timed out")]
)
def test_a_registry_that_only_fails_is_named(engine: BuildEngine, monkeypatch: pytest.MonkeyPatch, kind: str, words: str) -> None:
    monkeypatch.setattr(registry, "SECONDS", 0.5)
    monkeypatch.setattr(registry, "POLICY", Policy(tries=3, first=0.01))
    with faults.registry(engine.registry, faults.Faults(one_in=1, kinds=(kind,))) as address:
        answer = digests([reference(f"{address}/x:y")], engine.docker_config).popitem()[1]
    assert isinstance(answer, Failure)
    assert answer.doing == f"asking the registry {address} for x"
    assert re.search(words, answer.cause)


def test_without_push_images_are_in_the_engine_and_the_registry_is_not_asked(catalog: Catalog, engine: BuildEngine) -> None:
    elsewhere = BuildEngine(engine.docker_host, engine.docker_config, "127.0.0.1:1")
    missing, first = made(catalog, elsewhere, push=False)
    assert missing == ["one", "two"]
    assert made(catalog, elsewhere, push=False) == ([], first)
    with pytest.raises(Failure, match=r"asking the registry 127\.0\.0\.1:1"):
        plan(catalog, [], elsewhere, push=True)


def test_two_checkouts_of_one_commit_give_the_same_digest_without_the_builders_cache(
    catalog: Catalog, engine: BuildEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_without_cache(monkeypatch)
    other = tmp_path / "other"
    git(tmp_path, "clone", "-q", str(catalog.root), str(other))
    _, first = made(catalog, engine)
    moved = replace(catalog, root=other, prefix=f"{catalog.prefix}-b")
    missing, second = made(moved, engine)
    assert missing == ["one", "two"]
    assert second == first


def test_a_failing_step_is_told_with_its_log_and_leaves_nothing(catalog: Catalog, engine: BuildEngine, tmp_path: Path) -> None:
    (catalog.root / "Dockerfile").write_text(RECIPE.replace("RUN find /", "RUN echo the reason >&2; exit 3 # find /"))
    decided = plan(catalog, ["one"], engine, push=True)
    with pytest.raises(Failure) as raised:
        build(decided, engine, True, report=lambda _: None)
    assert "the reason" in raised.value.cause
    assert "exit code: 3" in raised.value.cause
    assert list((tmp_path / "cache/images/work").iterdir()) == []
    assert plan(catalog, ["one"], engine, push=True).missing


def test_a_full_disk_is_called_that(catalog: Catalog, engine: BuildEngine) -> None:
    full = "RUN --mount=type=tmpfs,target=/full,size=1048576 head -c 4M /dev/zero > /full/x\nRUN find /"
    (catalog.root / "Dockerfile").write_text(RECIPE.replace("RUN find /", full))
    with pytest.raises(Failure, match="disk of the Docker engine is full") as raised:
        made(catalog, engine)
    assert "docker buildx prune" in raised.value.remedy


def test_a_builder_without_the_platform_is_told_from_a_step_that_fails(catalog: Catalog, engine: BuildEngine) -> None:
    (catalog.root / "Dockerfile").write_text('FROM scratch\nCOPY . .\nRUN ["/one/main"]\n')
    (catalog.root / "one/main").chmod(0o755)
    job = catalog.jobs["one"]
    baseless = replace(catalog, jobs={"one": replace(job, stack=replace(job.stack, bases={}))})
    with pytest.raises(Failure, match="the builder cannot run programs of that platform") as raised:
        build(plan(baseless, [], replace(engine, platform="linux/s390x"), push=True), engine, True, report=lambda _: None)
    assert raised.value.doing == "building the images for linux/s390x"
    assert "tonistiigi/binfmt" in raised.value.remedy


def test_no_image_is_made_of_a_base_of_another_platform(catalog: Catalog, engine: BuildEngine) -> None:
    with pytest.raises(Failure, match=r"debian:trixie-slim: .* the engine here does not have it for linux/s390x"):
        plan(catalog, ["one"], replace(engine, platform="linux/s390x"), push=True)


def test_two_builds_at_once_build_each_image_once(catalog: Catalog, engine: BuildEngine) -> None:
    (catalog.root / "Dockerfile").write_text(RECIPE + f"LABEL test={catalog.prefix}\n")
    plans = [plan(catalog, [], engine, push=True) for _ in range(2)]
    said: list[list[str]] = [[], []]
    results: dict[int, dict[str, str]] = {}

    def one(index: int) -> None:
        results[index] = build(plans[index], engine, True, report=said[index].append)

    threads = [threading.Thread(target=one, args=(index,)) for index in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results[0] == results[1]
    assert sorted(any("being built by another process" in line for line in lines) for lines in said) == [False, True]


def test_an_interrupted_build_stops_the_builder_and_leaves_nothing(catalog: Catalog, engine: BuildEngine, tmp_path: Path) -> None:
    (catalog.root / "Dockerfile").write_text(RECIPE.replace("RUN find /", f"RUN echo {catalog.prefix} started\nRUN sleep 300 # find /"))
    program = f"""
        import sys
        sys.path.insert(0, {str(ROOT)!r})
        from pathlib import Path
        from ops.catalog.model import Catalog, Database, Job, Stack
        from ops.images import BuildEngine, build, plan, registry
        stack = Stack("plain", "Dockerfile", {{"BASE": "debian:trixie-slim"}}, ("true",), 1001)
        jobs = {{"one": Job("one", stack, "one", "Dockerfile", "n")}}
        none = Database("", "", "", "", "")
        names = ("t", "r", {catalog.prefix!r}, {catalog.nodes!r})
        catalog = Catalog(Path({str(catalog.root)!r}), *names, {{}}, {{}}, jobs, {{}}, (), none, {{}}, {{}})
        engine = BuildEngine({engine.docker_host!r}, Path({str(engine.docker_config)!r}), {engine.registry!r})
        build(plan(catalog, [], engine, push=True), engine, True, report=lambda line: print(line, flush=True))
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    for line in process.stdout:
        if "started" in line:  # the step before the one that sleeps
            break
    process.send_signal(signal.SIGINT)
    assert process.wait(30) != 0
    process.stdout.close()
    assert list((tmp_path / "cache/images/work").iterdir()) == []
    assert [image.action for image in plan(catalog, ["one"], engine, push=True).images] == ["build"]


def test_an_engine_behind_a_socket_says_without_the_sdk_what_it_says_with_it(engine: BuildEngine) -> None:
    asked, sdk = connect(engine), _Sdk(connection(engine.environment))
    assert isinstance(asked, _Socket)
    assert (asked.version()["Os"], asked.version()["Arch"]) == (sdk.version()["Os"], sdk.version()["Arch"])
    for name in ("debian:trixie-slim", "debian:none", "p/none@sha256:" + "0" * 64):
        assert asked.inspect_image(name) == sdk.inspect_image(name)
    assert asked.inspect_image("debian:none") is None
    with pytest.raises(Failure, match="invalid reference format"):
        asked.inspect_image("NO NAME")


TABLE = yaml.safe_load((ROOT / "tests/data/dockerfiles/table.yaml").read_text(encoding="utf-8"))


def test_buildkit_reads_the_dockerfiles_of_the_table_as_we_do(engine: BuildEngine, tmp_path: Path) -> None:
    """Its own outline of a Dockerfile names the arguments; it takes none that we say it refuses."""
    builder, more = _builder(engine)
    argv = (*builder, "build", "--call=outline,format=json", "--build-arg=BASE=scratch", "--file=-", str(tmp_path))
    compared = 0
    for row in TABLE:
        if "buildkit" not in row and ("outside" in row or "error" in row or "@sha256" in row["text"]):
            continue  # it would look for images
        env = {**os.environ, **more, **engine.environment}
        done = subprocess.run(argv, env=env, input=row["text"].encode(), capture_output=True, check=False)
        if "buildkit" in row:
            assert done.returncode != 0, row["name"]
            continue
        assert done.returncode == 0, (row["name"], done.stderr)
        assert sorted(each["name"] for each in json.loads(done.stdout).get("args") or []) == row.get("arguments", []), row["name"]
        compared += 1
    assert compared > 20


def test_two_images_of_one_path_and_stack_are_built_together(catalog: Catalog, engine: BuildEngine) -> None:
    (catalog.root / "Dockerfile").write_text("FROM scratch\nCOPY one/main /main\n")
    job = catalog.jobs["one"]
    both = replace(catalog, jobs={"service": replace(job, name="service"), "job": replace(job, name="job")})
    missing, digests_ = made(both, engine)
    assert missing == ["service", "job"]
    assert made(both, engine) == ([], digests_)

"""What must be written a second time, since it is read where the catalogue is not, says what the catalogue says."""

import re
from pathlib import Path

import yaml

from ops import stores
from ops.catalog import load
from ops.checks.files import tracked
from ops.images import BuildEngine
from ops.testbed.images import DEBIAN, stand_ins
from ops.testbed.layout import SOURCES

CATALOG = load()
UV_FILES = [".github/workflows/deploy.yml", *tracked(CATALOG.root, "infra/docker/python.Dockerfile", "infra/docker/db-migrate.Dockerfile")]


def test_the_workflow_signs_in_to_the_registry_of_the_catalogue() -> None:
    workflow = (CATALOG.root / ".github/workflows/deploy.yml").read_text()
    assert set(re.findall(r"docker login (\S+)", workflow)) == {CATALOG.registry}
    assert BuildEngine().registry == CATALOG.registry


def test_production_gets_a_tag_after_staging_and_by_the_same_steps() -> None:
    jobs = yaml.safe_load((CATALOG.root / ".github/workflows/deploy.yml").read_text())["jobs"]
    staging, production = jobs["staging"], jobs["production"]
    assert (production["needs"], production["if"]) == ("staging", "github.ref_type == 'tag'")
    assert "if" not in staging and staging["steps"] == production["steps"]
    assert (jobs["checks"]["uses"].rpartition("/")[2], staging["needs"]) == ("ci.yml", "checks")
    for name, job in (("staging", staging), ("production", production)):
        assert (job["environment"], job["env"]["TARGET"]) == (name, name)
        # None that waits is cancelled by the next: https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#concurrency
        assert job["concurrency"] == {"group": f"deploy-{name}", "cancel-in-progress": False, "queue": "max"}
        assert CATALOG.environments[name].kind == "kubernetes"


def test_uv_is_of_one_version_in_the_images_and_beside_the_clusters_credentials() -> None:
    found = [(file, re.findall(r"^(?:ARG |  )UV_VERSION(?:=|: )(\S+)", (CATALOG.root / file).read_text(), re.M)) for file in UV_FILES]
    assert all(versions for _, versions in found), found
    assert len({version for _, versions in found for version in versions}) == 1, found


def test_each_session_keeps_a_cache_of_its_own() -> None:
    steps = yaml.safe_load((CATALOG.root / ".github/workflows/ci.yml").read_text())["jobs"]["check"]["steps"]
    (cache,) = (step["with"] for step in steps if step.get("uses", "").startswith("actions/cache@"))
    own = "nextai-${{ matrix.check.session }}-${{ matrix.check.python }}-"
    assert cache["key"].startswith(own + "${{ hashFiles(") and cache["restore-keys"] == own


def test_the_checks_after_a_deploy_ask_the_database_of_the_catalogue() -> None:
    checks = (CATALOG.root / str(CATALOG.smoke)).read_text()
    assert re.findall(r'^DATABASE = "(\w+)"', checks, re.M) == [CATALOG.database.name]
    assert re.findall(r"--username=(\w+)", checks) == [CATALOG.database.user]


def test_ci_runs_what_the_readme_says() -> None:
    command = "pip install uv && uv run nox -s ci"
    readme = Path(CATALOG.root / "README.md").read_text()
    script = Path(CATALOG.root / ".ci/run").read_text().replace("--quiet ", "")
    assert command in readme
    # All of it, whatever is known good here. And `exec`: a script's own end would leave what it waits for.
    assert command.replace("uv run", "exec uv run") + " -- --fresh" in script


def test_the_testbed_stands_in_for_the_base_images_and_stores_of_the_catalogue() -> None:
    bases = {base for stack in CATALOG.stacks.values() for base in stack.bases.values()}
    known = {image.name: image for image in stand_ins()}
    assert known.keys() >= bases | {store.image for store in CATALOG.stores.values()}
    for image in known.values():
        if image.folder:
            text = (SOURCES / "images" / image.folder / "Dockerfile").read_text()
            base, *others = re.findall(r"^FROM (\S+)", text, re.M)
            below = known[base]
            assert image.base == base and set(others) <= {base, below.base}, image.folder  # what its key covers
            assert text.startswith(f"# Stands in for {image.name}: ")
    assert re.findall(r"^FROM (\S+)", (SOURCES / "container/Dockerfile").read_text(), re.M)[0] in bases
    waiting = set(stores.names()) - {store.kind for store in CATALOG.stores.values()}  # kinds that have no user yet
    folders = {path.parent.name for path in (SOURCES / "images").glob("*/Dockerfile")}
    assert folders - waiting == {image.folder for image in known.values()} - {""}
    assert f'image: str = "{DEBIAN.name}"' in (CATALOG.root / "tasks.py").read_text()  # of `shell`


def test_the_page_counts_to_the_longest_memory_of_its_service() -> None:
    files = ("apps/web/src/session/draft.ts", "services/memory-service/memory_service/store.py")
    page, service = ((CATALOG.root / file).read_text() for file in files)
    (longest,) = re.findall(r"^LONGEST = (\d+)$", service, re.M)
    assert re.findall(r"^const LONGEST = (\d+);$", page, re.M) == [longest]
    assert f"1 to\n// {longest} characters" in page


# What Dependabot reads, by the ecosystem that reads it.
DEPENDENCIES = {
    "github-actions": ".github/workflows/*.yml",
    "uv": ":(glob)**/uv.lock",
    "npm": ":(glob)**/pnpm-lock.yaml",
    "gomod": ":(glob)**/go.sum",
}


def test_dependabot_looks_after_every_lock_file_and_looks_nowhere_in_vain() -> None:
    updates = yaml.safe_load((CATALOG.root / ".github/dependabot.yml").read_text())["updates"]
    assert {update["package-ecosystem"] for update in updates} == DEPENDENCIES.keys()
    for ecosystem, files in DEPENDENCIES.items():
        folders = {f"/{Path(name).parent.as_posix()}".removesuffix(".") for name in tracked(CATALOG.root, files)}
        if ecosystem == "github-actions":
            folders = {"/"}  # what Dependabot wants for the workflows, wherever they lie
        own = [update for update in updates if update["package-ecosystem"] == ecosystem]
        patterns = {pattern for update in own for pattern in update.get("directories") or [update["directory"]]}
        reached = {pattern: {folder for folder in folders if Path(folder).match(pattern)} for pattern in patterns}
        assert folders - set().union(*reached.values()) == set(), f"{ecosystem}: nobody looks after these"
        assert {pattern for pattern, found in reached.items() if not found} == set(), f"{ecosystem}: there is nothing"

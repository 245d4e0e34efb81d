"""A job that `up` does not start: its document for Compose, and what the verb that runs it refuses."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from ops import catalog as catalogue
from ops.catalog import Catalog, Job
from ops.config import local as config
from ops.errors import Failure, UsageError
from ops.local import composefile, state
from ops.secret import Secret
from ops.verbs import run as story


@pytest.fixture
def catalog() -> Catalog:
    whole = catalogue.load()
    known = whole.stacks["python"]
    sweep = Job("sweep", known, "services/sweep", known.dockerfile, whole.namespaces[0], needs=("postgres",), schedule="0 3 * * *")
    url = whole.variables["DATABASE_URL"]
    readers = {**whole.variables, url.name: replace(url, readers=(*url.readers, "sweep"))}
    return replace(whole, jobs={**whole.jobs, "sweep": sweep}, variables=readers)


def test_up_starts_no_job_but_the_migrations(catalog: Catalog, tmp_path: Path) -> None:
    home = state.opened(state.State(tmp_path))
    document = composefile.document(catalog, home, dict.fromkeys(catalog.started, "image"))
    services = document["services"]
    assert isinstance(services, dict) and "sweep" not in services and catalog.database.job in services


def test_a_jobs_document_is_of_the_same_project_closed_and_alone(catalog: Catalog, tmp_path: Path) -> None:
    home = state.opened(state.State(tmp_path))
    (home.run / "compose").mkdir()
    secrets = {name: Secret("x" * 40) for name in config.generated(catalog)}
    setting = config.Setting(config.in_containers(catalog), secrets, {}, "0.0.0.0")
    document = json.loads(composefile.write_job(catalog, home, catalog.jobs["sweep"], "sweep:key", setting).read_text())
    assert document["name"] == composefile.project(catalog, home) and list(document["services"]) == ["sweep"]
    job = document["services"]["sweep"]
    assert (job["image"], job["read_only"], job["cap_drop"], job["depends_on"]) == ("sweep:key", True, ["ALL"], {})
    (file,) = job["env_file"]
    assert Path(file["path"]).read_text().startswith("DATABASE_URL=postgresql://") and Path(file["path"]).stat().st_mode & 0o77 == 0


@pytest.mark.parametrize(
    ("name", "told"),
    [("db-migrate", "`invoke migrate` runs them."), ("sweeep", "did you mean sweep?"), ("web", "no job has that name")],
)
def test_what_is_no_such_job_is_refused(catalog: Catalog, name: str, told: str) -> None:
    with pytest.raises(UsageError) as refusal:
        story.run(catalog, name)
    assert told in f"{refusal.value.cause} {refusal.value.remedy}"


def test_a_job_runs_beside_a_platform_that_runs(catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEXTAI_STATE", str(tmp_path))
    with pytest.raises(Failure, match="does not run on this machine"):
        story.run(catalog, "sweep")

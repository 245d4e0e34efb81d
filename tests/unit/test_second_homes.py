"""What must be written a second time, since it is read where the catalogue is not, says what the catalogue says."""

import re
from pathlib import Path

from ops.catalog import load
from ops.images import Engine

CATALOG = load()


def test_the_workflow_signs_in_to_the_registry_of_the_catalogue() -> None:
    workflow = (CATALOG.root / ".github/workflows/deploy.yml").read_text()
    assert re.findall(r"docker login (\S+)", workflow) == [CATALOG.registry]
    assert Engine().registry == CATALOG.registry


def test_the_checks_after_a_deploy_ask_the_database_of_the_catalogue() -> None:
    checks = (CATALOG.root / str(CATALOG.smoke)).read_text()
    assert re.findall(r'^DATABASE = "(\w+)"', checks, re.M) == [CATALOG.database.name]
    assert re.findall(r"--username=(\w+)", checks) == [CATALOG.database.user]


def test_ci_runs_what_the_readme_says() -> None:
    command = "pip install uv && uv run nox -s ci"
    readme = Path(CATALOG.root / "README.md").read_text()
    script = Path(CATALOG.root / ".ci/run").read_text().replace("--quiet ", "")
    assert command in readme
    assert command in script

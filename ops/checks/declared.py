"""What has tests, which files they are, and what of the checkout the sessions that run them read."""

from dataclasses import replace
from pathlib import Path

from ops import catalog
from ops.checks.reads import DOCUMENTS, Reads, own, without_sources

CATALOG = catalog.load()
# What has tests of its own: the services, and the jobs but the migrations, which are a part of the build system.
TESTED = {**CATALOG.services, **CATALOG.other_jobs}
# The shared packages that have tests, and the services and jobs that take each.
PACKAGES = {
    folder: [image for image in TESTED.values() if folder in image.packages]
    for folder in dict.fromkeys(folder for image in TESTED.values() for folder in image.packages)
    if any((CATALOG.root / folder / file).exists() for file in ("package.json", "pyproject.toml", "go.mod"))
}
WITHOUT_TESTBED = [
    f"tests/integration/test_{name}.py" for name in ("local_embedded", "local_stores", "database", "migration_gates", "migration_source")
]
PLATFORM = [f"tests/integration/test_{name}.py" for name in ("platform", "platform_compose", "platform_streams")]
NEW = "tests/integration/test_new_services.py"
FAULTED = ("local_durability", "local_durability_queues", "cluster_durability", "network_faults", "verbs_under_faults")
FAULTS = [f"tests/integration/test_{name}.py" for name in FAULTED]
AT_NIGHT = ["tests/integration/test_verbs_one_in_five.py"]  # minutes of waiting for answers that do not come
LIFECYCLE = "tests/integration/test_testbed_lifecycle.py"  # ends the testbed, so nothing else may use it meanwhile
TESTS = ("unit", "golden", "manifests", "integration", "e2e", "pythons", "benchmarks", "reproducible")
KITS = ("packages/service-kit-python/*", "packages/service-kit-go/*")
UNPUBLISHED = (*DOCUMENTS, "tests/*", "k8s/*", ".github/*", "infra/testbed/*", "infra/templates/*")


def tests_but(*used: str) -> tuple[str, ...]:
    """The folders of tests that a session does not use."""
    return tuple(f"tests/{folder}/*" for folder in TESTS if folder not in used)


def of_units() -> Reads:
    """Unit tests take some services' sources as their example."""
    examples = ("services/api-gateway/*", "services/memory-service/*", *KITS, "apps/web/src/session/draft.ts")
    return without_sources(CATALOG, but=examples)


def apart_from(reads: Reads, *used: str) -> Reads:
    """The same, without the names of documents and of the tests that are not used: a new one of these does not run the session."""
    return replace(reads, unseen=("docs", *(f"tests/{folder}" for folder in TESTS if folder not in used)))


def of_testbed() -> Reads:
    """Tests on the testbed take no service's sources."""
    return apart_from(without_sources(CATALOG, *DOCUMENTS, *tests_but("integration"), ".github/*"), "integration")


def of_service(service: str) -> Reads:
    """A service's own tests read the service, and the shared packages."""
    # All shared packages: web takes a script of one that is none of its own.
    return own(CATALOG, (TESTED[service].path, *PACKAGES), *UNPUBLISHED)


def of_package(package: str) -> Reads:
    """A shared package's own tests, by its folder or its name, read the packages that its users take."""
    users = PACKAGES.get(package) or next(users for folder, users in PACKAGES.items() if Path(folder).name == package)
    return own(CATALOG, tuple(folder for user in users for folder in user.packages), *UNPUBLISHED)

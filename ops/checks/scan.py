"""What Trivy is asked: misconfiguration, secrets and licences always, vulnerabilities where its database can be had."""

from pathlib import Path

from ops.catalog import Catalog
from ops.command import Command, run
from ops.folders import cache
from ops.tools import find

# Fetched, generated or ignored; manifests are scanned as they are rendered, and what is in the testbed is thrown away.
SKIPPED = ("**/node_modules", "**/.venv", "**/.next", "**/dist", ".nox", "k8s", "infra/testbed")
SEVERITY = "MEDIUM,HIGH,CRITICAL"
OFFLINE = "vulnerabilities were not looked for: Trivy's database cannot be downloaded here"
# Licences that oblige whoever ships the code to publish it: the classes of Google's licence classifier, which Trivy uses.
REFUSED_LICENCES = "CRITICAL"


def database() -> Path:
    """The folder of Trivy's databases, in the cache."""
    return cache() / "trivy"


def refresh(folder: Path) -> bool:
    """Whether the vulnerability database is there, after an attempt to download it."""
    trivy = find("trivy")
    argv = (*trivy.argv, "image", "--download-db-only", "--cache-dir", str(folder), "--quiet")
    done = run(Command(argv, "downloading Trivy's database", env=dict(trivy.env)), check=False, timeout=300)
    return done.code == 0


def rendered(catalog: Catalog, folder: Path) -> Path:
    """A folder with every overlay as the cluster gets it: one by one the manifests say too little to be judged."""
    from ops.manifests.render import build

    folder.mkdir(parents=True, exist_ok=True)
    for name, environment in catalog.environments.items():
        if environment.overlay:
            (folder / f"{name}.yaml").write_text(build(catalog.root / environment.overlay), encoding="utf-8")
    return folder


def arguments(folder: Path, manifests: Path) -> list[tuple[str, ...]]:
    """The command lines of Trivy for what the checkout alone decides. `manifests`: those of `rendered`."""
    # The checks that are compiled into the program: the newer bundle is an image, which is not reachable everywhere.
    checks = ("--skip-check-update", "--ignorefile", ".trivyignore.yaml", "--severity", SEVERITY)
    return [
        ("fs", "--scanners", "misconfig,secret", *checks, *_common(folder), *_skipped(), "."),
        ("config", *checks, *_common(folder), str(manifests)),
        ("fs", "--scanners", "license", "--severity", REFUSED_LICENCES, *_common(folder), *_skipped(), "."),
    ]


def vulnerabilities(folder: Path) -> tuple[str, ...]:
    """Trivy's command line for what its database knows today."""
    checks = ("--ignorefile", ".trivyignore.yaml", "--severity", SEVERITY)
    return ("fs", "--scanners", "vuln", *checks, *_common(folder), *_skipped(), ".")


def _common(folder: Path) -> tuple[str, ...]:
    return ("--cache-dir", str(folder), "--exit-code", "1", "--quiet")


def _skipped() -> tuple[str, ...]:
    return tuple(word for pattern in SKIPPED for word in ("--skip-dirs", pattern))

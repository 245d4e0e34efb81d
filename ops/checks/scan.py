"""What Trivy is asked: misconfiguration, secrets and licences always, vulnerabilities where its database can be had."""

from collections.abc import Callable
from pathlib import Path

from ops.command import Command, run
from ops.tools import cache, find

# Generated, fetched or ignored; and the lock files of tools, whose licences are not shipped.
SKIPPED = ("**/node_modules", "**/.venv", "**/.next", "**/dist", ".nox")
SEVERITY = "MEDIUM,HIGH,CRITICAL"
OFFLINE = "vulnerabilities were not scanned: Trivy's database cannot be downloaded here. Misconfiguration, secrets and licences were."


def database() -> Path:
    """The folder of Trivy's databases, in the cache."""
    return cache() / "trivy"


def refresh(folder: Path) -> bool:
    """Whether the vulnerability database is there, after an attempt to download it."""
    trivy = find("trivy")
    argv = (*trivy.argv, "image", "--download-db-only", "--cache-dir", str(folder), "--quiet")
    done = run(Command(argv, "downloading Trivy's database", env=dict(trivy.env)), check=False, timeout=300)
    return done.code == 0


def arguments(folder: Path, *, offline_note: Callable[[str], object]) -> list[tuple[str, ...]]:
    """The command lines of Trivy for this checkout. `offline_note` is told when vulnerabilities cannot be scanned."""
    common = (
        "--cache-dir",
        str(folder),
        "--exit-code",
        "1",
        "--severity",
        SEVERITY,
        "--quiet",
        *(w for s in SKIPPED for w in ("--skip-dirs", s)),
    )
    scanners = ["misconfig", "secret"]
    if refresh(folder):
        scanners.append("vuln")
    else:
        offline_note(OFFLINE)
    ignore = ("--ignorefile", ".trivyignore.yaml") if Path(".trivyignore.yaml").exists() else ()
    # The checks that are compiled into the program: the newer bundle is an image, which is not reachable everywhere.
    files = ("fs", "--scanners", ",".join(scanners), "--skip-check-update", *ignore, *common, ".")
    licences = ("fs", "--scanners", "license", "--license-full=false", *common, ".")
    return [files, licences]

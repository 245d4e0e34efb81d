"""Debian packages, unpacked into a folder of the cache and not installed: the machine's own packages stay as they are."""

import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from ops.command import Command, run
from ops.say import Say
from ops.testbed.keep import kept, key_of, text_of, write
from ops.testbed.layout import SOURCES, Layout

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
MIRROR = "http://deb.debian.org/debian"


def packages(text: str) -> list[str]:
    """The package patterns in a list file: one a line, what follows a # is a comment."""
    return [line for raw in text.splitlines() if (line := raw.partition("#")[0].strip())]


def mirror_in(texts: Iterable[str]) -> str:
    """The Debian mirror that apt's source lists name, or Debian's own."""
    for text in texts:
        active = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
        for url in re.findall(r"https?://[^\s\]]+", active):
            if re.search(r"/debian/?$", url):
                return str(url).rstrip("/")
    return MIRROR


def mirror() -> str:
    """The Debian mirror of this machine."""
    lists = [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]
    return mirror_in(path.read_text(errors="replace") for path in lists if path.is_file())


def folder(layout: Layout, suite: str) -> Path:
    """Where the packages of a suite lie, once they are there."""
    return layout.cache / "debian" / f"{suite}-{key_of(*text_of([SOURCES / 'debian' / f'{suite}.txt']))}"


def unpacked(layout: Layout, suite: str, say: Say) -> Path:
    """The packages that infra/testbed/debian/SUITE.txt names, unpacked into one folder."""
    wanted = packages((SOURCES / "debian" / f"{suite}.txt").read_text())
    return kept(folder(layout, suite), lambda work: unpack(work, suite, wanted), f"fetching Debian {suite} packages", say)


def unpack(work: Path, suite: str, wanted: list[str]) -> None:
    """Fetch Debian packages of a suite by name, and unpack them into a folder that is there."""
    apt = work / ".apt"
    for name in ("lists/partial", "archives/partial"):
        (apt / name).mkdir(parents=True)
    write(apt / "status", "")
    write(apt / "sources.list", f"deb [signed-by={KEYRING}] {mirror()} {suite} main\n")
    _apt(work, apt, "update")
    _apt(work, apt, "download", *wanted)
    archives = sorted(work.glob("*.deb"))
    write(work / "versions.txt", "".join(f"{path.name}\n" for path in archives))
    for archive in archives:
        run(Command(("dpkg-deb", "-x", str(archive), str(work)), f"unpacking {archive.name}"))
        archive.unlink()
    shutil.rmtree(apt)


def _apt(work: Path, apt: Path, *words: str) -> None:
    settings = {
        "Dir::Etc::sourcelist": f"{apt}/sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State::Lists": f"{apt}/lists",
        # As if nothing were installed: apt would rather look for the machine's version of a package than for the suite's.
        "Dir::State::status": f"{apt}/status",
        "Dir::Cache": str(apt),
        "APT::Sandbox::User": "root",
        "Acquire::Check-Valid-Until": "false",
        "Acquire::Languages": "none",
    }
    options = [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
    remedy = "Check that Debian's mirror can be reached; if a version is not found, the suite has moved on: see infra/testbed/debian."
    run(Command(("apt-get", *options, "-q", *words), "fetching Debian packages for the testbed", cwd=work, remedy=remedy))

"""The checkout and the machine at one moment, as values: what a session's key is made from.

Files count with their content, as for an image (`ops/images`). So do the files that git ignores, unless the sessions make them. Of the
machine counts what can change an answer: system, Python and its packages, programs, environment, a person's settings of programs.
What is not in it, and why, is in docs/decisions/checks.
"""

import os
import platform
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path

from ops.checks import pythons
from ops.checks.reads import Reads
from ops.errors import Failure
from ops.folders import home
from ops.images.inputs import listing, read
from ops.images.key import blob, digest_of
from ops.images.model import InputFile
from ops.tools.find import here
from ops.tools.table import TABLE

DOING = "looking at what the checks read"
FORM = 1  # part of every key: raise it when a key's parts change
# What the sessions and the tools of this checkout make: what is in it follows from what is not.
MADE = frozenset(
    {
        *("__pycache__", ".venv", ".nox", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis"),
        *("node_modules", ".next", "dist", "coverage", "test-results", "next-env.d.ts", ".DS_Store"),
    }
)
MADE_ENDINGS = (".egg-info", ".tsbuildinfo")
# Of one window or shell; or set by uv, Nox and noxfile.py themselves.
PASSING = (
    *("_", "PWD", "OLDPWD", "SHLVL", "WINDOWID", "WINDOW", "STY", "TMUX*", "TERM_SESSION_ID", "TERM_PROGRAM*", "PS1", "HIST*"),
    *("SSH_*", "DBUS_*", "XDG_SESSION_*", "XDG_VTNR", "GNOME_TERMINAL_*", "KONSOLE_*", "KITTY_*", "ITERM_*", "VSCODE_*", "WT_SESSION"),
    *("NOX_*", "UV_RUN_RECURSION_DEPTH", "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX", "PYTEST_CURRENT_TEST"),
)
# Settings of programs that sessions start, in a person's home folder and the system's.
SETTINGS = (
    *(".gitconfig", ".config/git/config", ".config/git/ignore", ".config/git/attributes", ".npmrc", ".config/pnpm/rc"),
    *(".config/pip/pip.conf", ".pip/pip.conf", ".config/uv/uv.toml", ".config/go/env", ".docker/config.json", ".kube/config", ".netrc"),
    *("/etc/gitconfig", "/etc/pip.conf", "/etc/uv/uv.toml", "/etc/hosts", "/etc/os-release"),
    "/var/lib/dpkg/status",  # the version of every program that Debian or Ubuntu have installed
)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """`files` by path, `facts` of the machine by name; `stamp` differs once a file was touched, whatever is in it now."""

    files: Mapping[str, InputFile]
    facts: Mapping[str, str]
    stamp: str

    def inputs(self, session: str, reads: Reads) -> "SessionInputs":
        """What a session's key is made from."""
        named = {path: entry for path, entry in self.files.items() if reads.named(path)}
        files = {path: entry if reads.content(path) else entry._replace(content="") for path, entry in named.items()}
        # A listing of the parent folder shows whether an unseen folder exists.
        there = (folder for folder in reads.unseen if any(path.startswith(f"{folder}/") for path in self.files))
        files |= {folder: InputFile(folder, "040000", "") for folder in there}
        today = {"day": date.today().isoformat()} if reads.days else {}
        return SessionInputs(session, files, {**self.facts, **today})


@dataclass(frozen=True, slots=True)
class SessionInputs:
    """What a session reads, as values."""

    session: str
    files: Mapping[str, InputFile]
    facts: Mapping[str, str]

    @property
    def key(self) -> str:
        """64 hex digits, equal for equal inputs."""
        return digest_of({"form": FORM, "session": self.session, "facts": dict(self.facts)}, self.files.values())


def take(root: Path) -> Snapshot:
    """The checkout and the machine as they are now. Raises `Failure` where what is read cannot be told."""
    try:
        files = {**listing(root, ["."]), **_ignored(root)}
        for path, entry in files.items():
            if entry.mode == "120000":
                files[path] = entry._replace(content=f"{entry.content} {_behind(root, path)}")
        return Snapshot(files, _facts(root), _stamp(root, files))
    except OSError as error:  # a file went while it was looked at, or may not be read
        raise Failure(DOING, f"{error.filename}: {error.strerror}", "Make it readable, then run the checks again.") from error


def _ignored(root: Path) -> dict[str, InputFile]:
    """The files that git ignores and no session makes, such as .env.local; whoever has git ignore them."""
    argv = ("git", "ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory", "--no-empty-directory")
    said = subprocess.run(argv, cwd=root, check=True, capture_output=True).stdout
    found: dict[str, InputFile] = {}
    for name in filter(None, os.fsdecode(said).split("\0")):
        for path in _below(root, name.rstrip("/")):
            if entry := read(root, path):
                found[path] = entry
    return found


def is_made(path: str) -> bool:
    """Whether sessions or tools of this checkout make this file."""
    return any(part in MADE or part.endswith(MADE_ENDINGS) for part in path.split("/"))


def _below(root: Path, name: str) -> Iterator[str]:
    if is_made(name):
        return
    if (root / name).is_dir() and not (root / name).is_symlink():
        for inner in sorted((root / name).iterdir()):
            yield from _below(root, f"{name}/{inner.name}")
    else:
        yield name


def _behind(root: Path, path: str) -> str:
    """What a symbolic link leads to. Raises `Failure` for a folder outside the checkout: what is read there cannot be told."""
    target = (root / path).resolve()
    if target.is_file():
        return _hash_of(target)
    if target.is_dir() and not target.is_relative_to(root.resolve()):
        raise Failure(DOING, f"{path} is a symbolic link to a folder outside the checkout", "Replace it by what it leads to.")
    return ""


def _stamp(root: Path, files: Mapping[str, InputFile]) -> str:
    facts = []
    for path in sorted(files):
        try:
            stat = os.lstat(root / path)
        except OSError:
            continue
        facts.append(f"{path} {stat.st_ino} {stat.st_size} {stat.st_ctime_ns}")
    return _hash("\n".join(facts).encode("utf-8", "surrogateescape"))


def _facts(root: Path) -> dict[str, str]:
    facts = {
        "checkout": str(root),
        "machine": f"{platform.platform()} {platform.machine()} {os.geteuid()} {os.cpu_count()}",
        "Python": f"{sys.version} {sys.executable}",
        "Python's packages": _packages(),
        "Pythons": _hash(" ".join(sorted(_mark(program) for program in pythons.candidates())).encode()),
    }
    for name, value in os.environ.items():
        if not any(fnmatchcase(name, pattern) for pattern in PASSING):
            facts[f"variable {name}"] = _hash(os.fsencode(value))
    for name in SETTINGS:
        if (file := home() / name).is_file():
            facts[f"file {file}"] = _hash_of(file)
    for name in TABLE:
        facts[f"program {name}"] = _program(name)
    facts["program git"] = subprocess.run(("git", "--version"), check=True, capture_output=True, text=True).stdout.strip()
    return facts


def _packages() -> str:
    records = sorted(Path(sysconfig.get_path("purelib")).glob("*.dist-info/RECORD"))
    return _hash(b"\0".join(record.read_bytes() for record in records))


def _program(name: str) -> str:
    """A program's version and file, where this machine has it. Those that the checkout pins follow from its files."""
    try:
        tool = here(name)
    except Failure as failure:
        return failure.cause
    if tool is None or tool.origin not in ("PATH", "wheel", "docker plugin"):
        return ""
    return f"{tool.version} {_mark(Path(tool.argv[0]))}"


def _mark(file: Path) -> str:
    """A program's file, which is another one once it was replaced in place."""
    try:
        stat = file.stat()
    except OSError:
        return str(file)
    return f"{file.resolve()} {stat.st_size} {stat.st_mtime_ns}"


def _hash_of(file: Path) -> str:
    try:
        return _hash(file.read_bytes())
    except OSError as error:
        return f"{error.strerror}"


def _hash(content: bytes) -> str:
    return blob(content, 64)[:16]

"""What a Python process looks at in the checkout, noted in a file; the sessions' Pythons import this by its name when they start.

`ops/checks/trace.py` puts this folder on PYTHONPATH, and names the checkout and the file in the environment. It needs the standard library
alone, of any Python that a session uses. No note is a reason for a process to fail: one that cannot be written is left out.
"""

import os
import re
import sys
from collections.abc import Callable, Iterator

ROOT, FILE = "CHECKS_SEEN_ROOT", "CHECKS_SEEN_FILE"
# Commands of git whose answer does not follow from the names and contents of the files as they lie there.
_OF_COMMITS = frozenset(
    {
        *("add", "branch", "cat-file", "check-ignore", "checkout", "clone", "commit", "config", "describe", "fetch", "for-each-ref"),
        *("init", "log", "ls-remote", "merge-base", "push", "remote", "rev-list", "rev-parse", "show", "symbolic-ref", "tag", "version"),
    }
)
_WITH_VALUE = frozenset({"-c", "-C", "--git-dir", "--work-tree", "--namespace"})


def looked_at(event: str, arguments: tuple[object, ...]) -> Iterator[tuple[str, str]]:
    """What an audit event of Python says: ("read", a file), ("list", a folder), or ("tree", a folder with all that is below)."""
    if event == "open":
        flags = arguments[2]
        if not (isinstance(flags, int) and flags & os.O_WRONLY):
            yield from _named("read", arguments[0])
    elif event in ("os.listdir", "os.scandir"):
        yield from _named("list", "." if arguments[0] is None else arguments[0])
    elif event == "subprocess.Popen" and isinstance(arguments[1], list | tuple):
        yield from _git([os.fsdecode(word) for word in arguments[1] if isinstance(word, str | bytes | os.PathLike)], arguments[2])


def _named(kind: str, path: object) -> Iterator[tuple[str, str]]:
    if isinstance(path, str | bytes | os.PathLike):
        name = os.fsdecode(path)
        yield kind, os.path.normpath(name if name.startswith("/") else os.path.join(os.getcwd(), name))  # noqa: PTH109, PTH118 - fast


def _git(argv: list[str], cwd: object) -> Iterator[tuple[str, str]]:
    """What git lists: the part of each pathspec that is no pattern, or all of its folder."""
    if not argv or os.path.basename(argv[0]) != "git":  # noqa: PTH119 - fast
        return
    place = os.fsdecode(cwd) if isinstance(cwd, str | bytes | os.PathLike) else "."
    words = iter(argv[1:])
    command = ""
    for word in words:
        if word in _WITH_VALUE:
            value = next(words, "")
            place = os.path.join(place, value) if word in ("-C", "--work-tree") else place  # noqa: PTH118
        elif not word.startswith("-"):
            command = word
            break
    if not command or command in _OF_COMMITS:
        return
    rest = list(words)
    specs = [spec for spec in rest[rest.index("--") + 1 :] if not spec.startswith(":")] if "--" in rest else []
    for spec in specs or ["."]:
        literal, *pattern = re.split(r"[*?[]", spec, maxsplit=1)
        yield from _named("tree", os.path.join(place, literal.rpartition("/")[0] if pattern else literal))  # noqa: PTH118


def watch(root: str, note: Callable[[str, str], None]) -> None:
    """Have `note` told once of each thing below `root` that this process looks at from now on. There is no way back."""
    known: set[tuple[str, str]] = set()

    def told(seen: tuple[str, str]) -> None:
        if seen not in known and (seen[1] + "/").startswith(root + "/"):
            known.add(seen)
            note(*seen)

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        try:
            for seen in looked_at(event, arguments):
                told(seen)
        except (OSError, ValueError):  # no current folder any more; a name that no system takes
            pass

    sys.addaudithook(hook)
    for name in ("stat", "lstat", "access"):  # Python has no audit event for these
        _wrap(name, told)


def _wrap(name: str, told: Callable[[tuple[str, str]], None]) -> None:
    real = getattr(os, name)

    def wrapped(path, *arguments, **named):  # type: ignore[no-untyped-def]
        try:
            if "dir_fd" not in named:
                for seen in _named("stat", path):
                    told(seen)
        except (OSError, ValueError):
            pass
        return real(path, *arguments, **named)

    wrapped.__name__, wrapped.__doc__ = real.__name__, real.__doc__
    for functions in (os.supports_fd, os.supports_dir_fd, os.supports_follow_symlinks, os.supports_effective_ids):
        if real in functions:
            functions.add(wrapped)
    setattr(os, name, wrapped)


def _write(file: str) -> Callable[[str, str], None]:
    opened, write, close, flags = os.open, os.write, os.close, os.O_WRONLY | os.O_APPEND | os.O_CREAT

    def note(kind: str, path: str) -> None:
        descriptor = opened(file, flags, 0o666)  # by its name each time: a process may close what it does not know
        try:
            write(descriptor, os.fsencode(f"{kind} {path}\0"))
        finally:
            close(descriptor)

    return note


if __name__ == "sitecustomize" and sys.version_info >= (3, 10) and ROOT in os.environ and FILE in os.environ:
    watch(os.environ[ROOT], _write(os.environ[FILE]))

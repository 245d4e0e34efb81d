"""What goes into an image: git's view of the declared folders, each file with its mode and content hash.

Git lists the files (tracked, and untracked but not ignored) and knows the content of those that are unchanged. The others are
hashed here, and so is every file that git would convert on its way in: what counts is the bytes on disk, which the build copies.
Where git does not believe the disk's modes, as on a file system without them, nobody does: a file has the mode that git knows.
A symbolic link goes in as a link. What lies behind one, a file's or a folder's, is no input, wherever it leads.
"""

import os
import stat
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ops.catalog.model import Image
from ops.command import Command, raw
from ops.errors import Failure, UsageError
from ops.images import pnpm
from ops.images.disk import content_of, is_real, shown
from ops.images.key import blob
from ops.images.model import Entry

DOING = "listing what goes into the images"
# Tests reach no image: the folders below a declared folder, and the files anywhere in it.
TEST_FOLDERS = ("test", "tests")
TEST_FILES = ("_test.go", ".test.ts", ".test.tsx")


def declared(image: Image) -> tuple[str, ...]:
    """The folders and files that the catalogue declares as an image's inputs."""
    return tuple(dict.fromkeys((image.path, *image.packages, *image.files, *image.stack.shared)))


def is_test(path: str, folder: str) -> bool:
    """Whether a file below a declared folder is there for tests only, and so does not go in."""
    first = path.removeprefix(folder + "/").partition("/")
    return (first[0] in TEST_FOLDERS and bool(first[1])) or path.endswith(TEST_FILES)


def gather(root: Path, images: Collection[Image]) -> dict[str, tuple[Entry, ...]]:
    """Each image's entries, sorted by path. Raises `Failure` outside a git checkout, and for a declaration that holds no file."""
    listing = _listing(root, sorted({path for image in images for path in declared(image)}))
    paths = sorted(listing)
    return {image.name: _entries(root, image, listing, paths) for image in images}


def _entries(root: Path, image: Image, listing: Mapping[str, Entry], paths: Sequence[str]) -> tuple[Entry, ...]:
    found: dict[str, Entry] = {}
    for folder in declared(image):
        below = [path for path in _below(paths, folder) if not is_test(path, folder)]
        if not below:
            remedy = f"Correct {image.name}'s entry in platform.yaml, or add the files (an ignored file never goes in)."
            raise UsageError(DOING, f"{image.name}: {folder} holds no file", remedy)
        found.update((path, listing[path]) for path in below)
    found.update((entry.path, entry) for entry in pnpm.parts(root, image, found))
    return tuple(found[path] for path in sorted(found))


def _below(paths: Sequence[str], folder: str) -> Iterator[str]:
    """The paths that are `folder` itself or lie in it; `paths` is sorted."""
    at = bisect_left(paths, folder)
    if at < len(paths) and paths[at] == folder:
        yield folder
    at = bisect_left(paths, folder + "/")
    while at < len(paths) and paths[at].startswith(folder + "/"):
        yield paths[at]
        at += 1


@dataclass(frozen=True, slots=True)
class _Line:
    """One line of `git ls-files`: its tag (gitdocs: ls-files, -t and -v), and mode and blob id where the file is tracked."""

    tag: str
    path: str
    mode: str = ""
    content: str = ""


def _listing(root: Path, folders: Sequence[str]) -> dict[str, Entry]:
    lines = list(_ls_files(root, folders))
    _refuse(line for line in lines if line.mode == "160000" or line.path.endswith("/"))
    # Git takes a tracked file for unmodified, too, when a link leads to one that is.
    real: dict[str, bool] = {}
    lines = [line for line in lines if is_real(root, line.path.rpartition("/")[0], real)]
    tracked = {line.path: line for line in lines if line.mode}
    # Besides what git says is modified: what it was told not to look at, or may not have compared, or converts.
    unsure = {line.path for line in lines if line.tag != "H"}
    unsure |= _converted(root, [path for path, line in tracked.items() if line.mode != "120000"])
    length = next((len(line.content) for line in tracked.values()), 40)
    listing = {path: Entry(path, line.mode, line.content) for path, line in tracked.items() if path not in unsure}
    believed = not unsure or _believes_modes(root)
    for path in unsure:
        if entry := read(root, path, length):
            listing[path] = entry if believed or entry.mode == "120000" else replace(entry, mode=_known_mode(tracked.get(path)))
    return listing


def _believes_modes(root: Path) -> bool:
    """Whether git looks at the executable bit on disk (gitdocs: config, core.fileMode; true where it is not set)."""
    return _git(root, "config", "--null", "--type=bool", "--get", "core.fileMode", check=False) != ["false"]


def _known_mode(line: _Line | None) -> str:
    """A file's mode without a look at the disk: what git would record if the file were added."""
    return "100755" if line and line.mode == "100755" else "100644"


def read(root: Path, path: str, length: int = 40) -> Entry | None:
    """The entry of a file as it lies on disk; None when there is no file."""
    file = root / path
    try:
        mode = file.lstat().st_mode
        if stat.S_ISLNK(mode):
            return Entry(path, "120000", blob(os.fsencode(file.readlink()), length))
        if stat.S_ISREG(mode):
            return Entry(path, "100755" if mode & stat.S_IXUSR else "100644", blob(content_of(file), length))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise Failure(DOING, f"{shown(path)}: {error.strerror}", "Make the file readable, or have git ignore it.") from error
    if stat.S_ISDIR(mode):  # a tracked file gave way to a folder, whose files are listed by themselves
        return None
    raise Failure(DOING, f"{shown(path)} is neither a file nor a symbolic link", "Remove it, or have git ignore it.")


def _refuse(lines: Iterable[_Line]) -> None:
    for line in lines:
        what = "a submodule" if line.mode else "a git repository of its own"
        cause = f"{shown(line.path.rstrip('/'))} is {what}: its files are not this checkout's"
        raise Failure(DOING, cause, "Move it out of the folder, or have git ignore it.")


# Whatever a clone is set to: git compares all that it knows of a file, and looks itself. Case fileMode is asked for by itself.
_SETTINGS = ("core.fsmonitor=false", "core.untrackedCache=false", "core.checkStat=default", "core.trustctime=true", "core.symlinks=true")


def _git(root: Path, *arguments: str, stdin: bytes | None = None, check: bool = True) -> list[str]:
    """What git says, in parts that end with NUL; names that are not UTF-8 as Python's file names have them."""
    settings = (word for setting in _SETTINGS for word in ("-c", setting))
    argv = ("git", *settings, "--literal-pathspecs", *arguments)
    remedy = "Build from a git clone of the platform: git says which files are its own."
    said = raw(Command(argv, DOING, cwd=root, remedy=remedy, env={"LC_ALL": "C"}), stdin, check=check)
    return os.fsdecode(said).split("\0")[:-1]


def _ls_files(root: Path, folders: Sequence[str]) -> Iterator[_Line]:
    options = ("-z", "--stage", "-v", "--cached", "--modified", "--deleted", "--others", "--exclude-standard")
    for text in _git(root, "ls-files", *options, "--", *folders):
        if text.startswith("? "):
            yield _Line("?", text[2:])
            continue
        words, _, path = text.partition("\t")
        tag, mode, content, _ = words.split(" ")
        yield _Line(tag, path, mode, content)


_CONVERTING = frozenset({"text", "crlf", "eol", "ident", "filter", "working-tree-encoding"})


def _converted(root: Path, paths: Sequence[str]) -> set[str]:
    """The tracked files that git may convert between the checkout and its index (gitdocs: attributes, "Effects")."""
    if not paths:
        return set()
    automatic = _git(root, "config", "--null", "--get", "core.autocrlf", check=False)
    if automatic and automatic[0].strip().lower() in ("true", "input", "yes", "on", "1"):
        return set(paths)
    said = _git(root, "check-attr", "-z", "--stdin", "--all", stdin=b"".join(os.fsencode(path) + b"\0" for path in paths))
    rows = zip(said[::3], said[1::3], said[2::3], strict=True)
    return {path for path, attribute, value in rows if attribute in _CONVERTING and value not in ("unspecified", "unset")}

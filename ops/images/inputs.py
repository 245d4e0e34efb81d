"""What goes into an image: git's view of the declared folders, each file with its mode and content hash.

Git lists the files (tracked, and untracked but not ignored) and knows the content of those that are unchanged. The others are
hashed here, and so is every file that git would convert on its way in: what counts is the bytes on disk, which the build copies.
Where git does not believe the disk's modes, as on a file system without them, nobody does: a file has the mode that git knows.
A symbolic link goes in as a link. What lies behind one, a file's or a folder's, is no input, wherever it leads.
"""

import os
import re
import stat
from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import cast

from ops.background import begin
from ops.catalog.model import Image
from ops.command import Command, raw
from ops.documents import Json
from ops.errors import Failure, UsageError
from ops.images import gosum, pnpm, uv
from ops.images.cuts import Read, remembered
from ops.images.disk import content_of, is_real, plain, shown
from ops.images.dockerfile import Dockerfile
from ops.images.key import blob
from ops.images.model import InputFile

DOING = "listing what goes into the images"
# Tests reach no image: the folders below a declared folder, and the files anywhere in it.
TEST_FOLDERS = ("test", "tests")
TEST_FILES = ("_test.go", ".test.ts", ".test.tsx")
# Settings of tools for people, where these look for them: at the top of a declared folder.
SETTINGS = re.compile(
    r"(vitest|jest|playwright|drizzle|eslint|prettier)\.(config|workspace|setup)\.\w+|\.(eslintrc|prettierrc)(\.\w+)?|biome\.jsonc?"
    r"|\.golangci\.(ya?ml|toml|json)|\.?(ruff|mypy|pytest)\.(toml|ini)|tox\.ini|\.coveragerc|\.editorconfig|\.gitattributes|conftest\.py"
)


def declared(image: Image) -> tuple[str, ...]:
    """The folders and files that the catalogue declares as an image's inputs."""
    return tuple(dict.fromkeys((image.path, *image.packages, *image.files, *image.stack.shared)))


def is_idle(path: str, folder: str, apart: str = "") -> bool:
    """Whether a file below a declared folder is there for people only, and so does not go in.

    `apart`: a folder, that of the migrations, which goes into those images alone that declare it or a part of it.
    """
    if apart and _within(path, apart) and not _within(folder, apart):
        return True
    if path.endswith(TEST_FILES):
        return True
    first, slash, _ = path[len(folder) + 1 :].partition("/")  # both empty for a file that is declared itself
    return first in TEST_FOLDERS if slash else SETTINGS.fullmatch(first) is not None


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder + "/")


def gather(
    root: Path, images: Collection[Image], recipes: Mapping[str, Dockerfile] | None = None, apart: str = ""
) -> dict[str, tuple[InputFile, ...]]:
    """Each image's entries, sorted by path. `recipes`: the Dockerfiles, by their place; they say what is installed.

    Raises `Failure` outside a git checkout, and `UsageError` for a declaration that holds no file.
    """
    texts = Texts(root)
    wanted = {path for image in images for path in declared(image)}
    if pnpm.WORKSPACE in wanted:
        with _told():
            wanted |= set(_strings(remembered(root, pnpm.WORKSPACE, "", {"texts": texts}, _named)))
    listed = listing(root, sorted(wanted))
    paths = sorted(listed)
    found = {image.name: _below_all(image, listed, paths, apart) for image in images}
    return {image.name: _entries(image, found[image.name], listed, texts, (recipes or {}).get(image.dockerfile)) for image in images}


def _named(reads: Mapping[str, Read]) -> Json:
    """The files that the workspace names, which pnpm reads with it."""
    return [*pnpm.patches(reads["texts"]).values(), *pnpm.hooks(reads["texts"])]


class Texts:
    """The checkout's files as text, each read once; None where there is none, or only one behind a link."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.known: dict[str, str | None] = {}

    def __call__(self, path: str) -> str | None:
        if path not in self.known:
            try:
                self.known[path] = plain(self.root, path).decode()
            except OSError:
                self.known[path] = None
        return self.known[path]


@contextmanager
def _told() -> Iterator[None]:
    """A file of a package manager that cannot be read, in the words of a `Failure`."""
    try:
        yield
    except ValueError as error:
        raise Failure(
            "cutting the lock file", str(error), "Run `pnpm install` or `uv lock` to write the workspace's files anew."
        ) from error


def _below_all(image: Image, listing: Mapping[str, InputFile], paths: Sequence[str], apart: str) -> dict[str, InputFile]:
    """The files of what an image declares."""
    found: dict[str, InputFile] = {}
    for folder in declared(image):
        aside = "" if not apart or _within(folder, apart) else apart
        below = [path for path in _below(paths, folder) if not is_idle(path, folder, aside)]
        if not below:
            remedy = f"Correct {image.name}'s entry in platform.yaml, or add the files (an ignored file never goes in)."
            raise UsageError(DOING, f"{image.name}: {folder} holds no file", remedy)
        found.update(zip(below, map(listing.__getitem__, below), strict=True))
    return found


def _entries(
    image: Image, found: dict[str, InputFile], listing: Mapping[str, InputFile], texts: "Texts", recipe: Dockerfile | None
) -> tuple[InputFile, ...]:
    """The entries, with the parts that take the place of files which others share."""
    hooks = listing.keys() & set(pnpm.HOOKS)
    projects = [path for path in found if path.endswith(uv.PROJECT) and path.rpartition("/")[2] == uv.PROJECT]

    def own(path: str) -> str | None:
        return texts(path) if path in hooks or (path in found and found[path].mode != "120000") else None

    def make(reads: Mapping[str, Read]) -> Json:
        if wrong := _unlocked(projects, reads["texts"]):
            return {"wrong": [*wrong]}
        cut, further = parts(image, reads["own"], recipe)
        return {"cut": {**cut}, "further": [*further]}

    given = repr((image.name, image.path, image.packages, image.files, projects, recipe))
    with _told():
        answer = remembered(texts.root, image.name, given, {"own": own, "texts": texts}, make)
    known = answer if isinstance(answer, dict) else {}
    _refuse_unlocked(image, _strings(known.get("wrong")))
    for path in _strings(known.get("further")):
        if path not in listing:
            raise UsageError(
                DOING, f"{pnpm.WORKSPACE} names {shown(path)}, which is no file that git knows", "Add the file, or correct the name."
            )
        found[path] = listing[path]
    cut = cast("dict[str, str]", known.get("cut", {}))
    found.update((path, InputFile(path, "100644", blob(text.encode(), len(found[path].content)), text)) for path, text in cut.items())
    return tuple(map(found.__getitem__, sorted(found)))


def _strings(value: Json) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _unlocked(projects: Collection[str], texts: Read) -> tuple[str, ...]:
    """What builds the Python projects and stands in no lock, a line each: it moves, and the key stays."""
    wrong = [line for path in projects for line in uv.unlocked(path, texts(path) or "")]
    locks = (texts(f"{path.removesuffix(uv.PROJECT)}{uv.LOCK}") for path in projects)
    return tuple(dict.fromkeys([*wrong, *(line for lock in locks if lock for line in uv.built(uv.lock(lock)))]))


def _refuse_unlocked(image: Image, wrong: Sequence[str]) -> None:
    """Raises `UsageError` where a Python package is built by something that no lock holds."""
    if wrong:
        remedy = (
            f"Build packages of this checkout with uv_build==VERSION alone; pin a version of {image.name}'s dependency that has a wheel."
        )
        raise UsageError(DOING, f"{image.name}: this could change without a new key:\n" + "\n".join(wrong), remedy)


def parts(image: Image, read: Read, recipe: Dockerfile | None) -> tuple[dict[str, str], tuple[str, ...]]:
    """The texts that take the place of files of which an image needs a part, and further files that it needs then.

    `read` knows the image's files. Raises `UsageError` for what the catalogue lacks, and ValueError for files that cannot be read.
    """
    try:
        cut, further = pnpm.parts(image, read, recipe)
    except pnpm.UnlistedError as error:
        remedy = f"Add it to `packages` of {image.name} in platform.yaml."
        raise UsageError("cutting the lock file", f"{image.name}: {error}", remedy) from error
    dev = recipe is None or not uv.production(recipe)
    for folder in dict.fromkeys((image.path, *image.packages, *(file.rpartition("/")[0] for file in image.files))):
        cut |= uv.parts(folder, read, dev=dev) | gosum.parts(folder, read)
    return cut, further


def _below(paths: Sequence[str], folder: str) -> Sequence[str]:
    """The paths that are `folder` itself or lie in it; `paths` is sorted."""
    at = bisect_left(paths, folder)
    own = paths[at : at + 1] if paths[at : at + 1] == [folder] else []
    after = chr(ord("/") + 1)
    return [*own, *paths[bisect_left(paths, f"{folder}/") : bisect_left(paths, f"{folder}{after}")]]


def listing(root: Path, folders: Sequence[str]) -> dict[str, InputFile]:
    """Every file below the folders that git does not ignore, as it lies on disk. Raises `Failure` for what is another repository's."""
    changing = begin(partial(_changed, root, folders))  # git looks at each file, which takes longest
    converting = begin(partial(_converted, root, folders))
    asking = begin(partial(_settings, root))
    tracked, unsure = _tracked(root, folders)
    changed, untracked = changing.result()
    settings = asking.result()
    _refuse(root, tracked, untracked)
    # Git takes a tracked file for unmodified, too, when a link leads to one that is.
    known: dict[str, bool] = {}
    linked = {folder for folder in {path.rpartition("/")[0] for path in (*tracked, *untracked)} if not is_real(root, folder, known)}
    unsure |= changed | untracked | (tracked.keys() if _converts(settings) else converting.result())
    if linked:
        tracked = {path: entry for path, entry in tracked.items() if path.rpartition("/")[0] not in linked}
        unsure = {path for path in unsure if path.rpartition("/")[0] not in linked}
    length = next((len(entry.content) for entry in tracked.values()), 40)
    believed = _believes_modes(settings)
    for path in unsure:
        before, entry = tracked.pop(path, None), read(root, path, length)
        if entry:
            tracked[path] = entry if believed or entry.mode == "120000" else entry._replace(mode=_known_mode(before))
    return tracked


_FALSE = frozenset({"false", "no", "off", ""})  # gitdocs: config, "Values"; and a number that is 0


def _settings(root: Path) -> dict[str, str]:
    """What git is set to that decides which of its words count here, by name in small letters; the last of several holds."""
    said = _git(root, "config", "--null", "--get-regexp", r"^core\.(autocrlf|filemode)$", check=False)
    # A name without a value, and so without a line's end behind it, is set to true.
    return {name.lower(): value.strip().lower() if is_set else "true" for name, is_set, value in (line.partition("\n") for line in said)}


def _converts(settings: Mapping[str, str]) -> bool:
    """Whether git may convert any file's line ends (core.autocrlf)."""
    return settings.get("core.autocrlf") in ("true", "input", "yes", "on", "1")


def _believes_modes(settings: Mapping[str, str]) -> bool:
    """Whether git looks at the executable bit on disk (gitdocs: config, core.fileMode; true where it is not set)."""
    value = settings.get("core.filemode", "true")
    return value not in _FALSE and not (value.isdecimal() and int(value) == 0)


def _known_mode(before: InputFile | None) -> str:
    """A file's mode without a look at the disk: what git would record if the file were added. `before`: what it has recorded."""
    return "100755" if before and before.mode == "100755" else "100644"


def read(root: Path, path: str, length: int = 40) -> InputFile | None:
    """The entry of a file as it lies on disk; None when there is no file."""
    file = f"{root}/{path}"  # no Path: a checkout has thousands of files, and making one costs more than to ask for its mode
    try:
        mode = os.lstat(file).st_mode
        if stat.S_ISLNK(mode):
            return InputFile(path, "120000", blob(os.fsencode(Path(file).readlink()), length))
        if stat.S_ISREG(mode):
            return InputFile(path, "100755" if mode & stat.S_IXUSR else "100644", blob(content_of(file), length))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise Failure(DOING, f"{shown(path)}: {error.strerror}", "Make the file readable, or have git ignore it.") from error
    if stat.S_ISDIR(mode):  # a tracked file gave way to a folder, whose files are listed by themselves
        return None
    raise Failure(DOING, f"{shown(path)} is neither a file nor a symbolic link", "Remove it, or have git ignore it.")


def _refuse(root: Path, tracked: Mapping[str, InputFile], untracked: Collection[str]) -> None:
    """Raises `Failure` for what is another repository's."""
    whats = {path: "a git repository of its own" for path in untracked if path.endswith("/")}
    if any(entry.mode == _SUBMODULE for entry in tracked.values()):
        whats |= {path: "a submodule" for path, entry in tracked.items() if entry.mode == _SUBMODULE}
    for path, what in whats.items():
        cause = f"{shown(path.rstrip('/'))} is {what}: its files are not this checkout's"
        raise Failure(DOING, cause, "Move it out of the folder, or have git ignore it.")


# Whatever a clone is set to: git compares all that it knows of a file, and looks itself. Case fileMode is asked for by itself.
_SETTINGS = ("core.fsmonitor=false", "core.untrackedCache=false", "core.checkStat=default", "core.trustctime=true", "core.symlinks=true")


def _git(root: Path, *arguments: str, check: bool = True) -> list[str]:
    """What git says, in parts that end with NUL; names that are not UTF-8 as Python's file names have them."""
    return os.fsdecode(_said(root, *arguments, check=check)).split("\0")[:-1]


def _said(root: Path, *arguments: str, stdin: bytes | None = None, check: bool = True) -> bytes:
    settings = (word for setting in _SETTINGS for word in ("-c", setting))
    argv = ("git", *settings, "--literal-pathspecs", *arguments)
    remedy = "Build from a git clone of the platform: git says which files are its own."
    return raw(Command(argv, DOING, cwd=root, remedy=remedy, env={"LC_ALL": "C"}), stdin, check=check)


def _tracked(root: Path, folders: Sequence[str]) -> tuple[dict[str, InputFile], set[str]]:
    """The tracked files as git has recorded them, and those of them that it was told not to look at, or cannot say one thing of."""
    lines = _git(root, "ls-files", "-z", "--stage", "-v", "--cached", "--", *folders)
    if not lines:
        return {}, set()
    # Tag, mode, blob, stage, TAB, path (gitdocs: ls-files, -t and -v): in one repository all before the path has one length.
    end = lines[0].index("\t")
    tracked = {(path := line[end + 1 :]): InputFile(path, line[2:8], line[9 : end - 2]) for line in lines}
    return tracked, {line[end + 1 :] for line in lines if not line.startswith("H ")}


def _changed(root: Path, folders: Sequence[str]) -> tuple[set[str], set[str]]:
    """The tracked files that are other than git has recorded, or gone; and the files that it does not track and does not ignore."""
    said = _git(root, "ls-files", "-z", "-t", "--modified", "--deleted", "--others", "--exclude-standard", "--", *folders)
    untracked = {text[2:] for text in said if text.startswith("? ")}
    return {text[2:] for text in said} - untracked, untracked


_SUBMODULE = "160000"
_CONVERTING = frozenset({"text", "crlf", "eol", "ident", "filter", "working-tree-encoding"})


def _converted(root: Path, folders: Sequence[str]) -> set[str]:
    """The tracked files that git may convert between the checkout and its index (gitdocs: attributes, "Effects")."""
    names = _said(root, "ls-files", "-z", "--", *folders)
    if not names:
        return set()
    said = os.fsdecode(_said(root, "check-attr", "-z", "--stdin", "--all", stdin=names)).split("\0")[:-1]
    rows = zip(said[::3], said[1::3], said[2::3], strict=True)
    return {path for path, attribute, value in rows if attribute in _CONVERTING and value not in ("unspecified", "unset")}

"""What was found in files before, kept on this machine with the content of each file that was read for it.

Cutting lock files is most of what a build does that finds nothing to do. The same code that reads the same files finds the same; so an
answer holds as long as each file that it was made from has the content that it had, and the code is the code that made it. Dates and
sizes are not looked at. A kept answer that was damaged on disk does not fit its checksum, and is made again.
"""

import hashlib
import json
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache as once
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from ops.documents import Json
from ops.errors import Failure
from ops.images.record import place, write_text

Read = Callable[[str], str | None]
# What cuts, beside this file: a change of any of them may change what is cut.
_CODE = ("inputs", "pnpm", "pnpmlock", "uv", "gosum", "dockerfile", "disk", "cuts")


def remembered(root: Path, name: str, given: str, reads: Mapping[str, Read], make: Callable[[Mapping[str, Read]], Json]) -> Json:
    """What `make` makes of the files that it reads by `reads`, and of nothing else but what `given` says: kept by `name`, or made now.

    What `make` raises is not kept.
    """
    basis = _digest(f"{_code()} {given}")
    with suppress(Failure):
        file = place(root, f"{name}.cut")
        answer = _kept(file, basis, reads)
        if answer is not None:
            return answer
    seen: dict[str, dict[str, str | None]] = {who: {} for who in reads}
    made = make({who: _recording(read, seen[who]) for who, read in reads.items()})
    text = json.dumps([basis, seen, made])
    with suppress(Failure, OSError):  # where nothing can be kept, it is made again the next time
        write_text(place(root, f"{name}.cut"), f"{_digest(text)}\n{text}")
    return made


def _kept(file: Path, basis: str, reads: Mapping[str, Read]) -> Json:
    """The answer that is kept, if it still holds."""
    try:
        checksum, _, text = file.read_text(encoding="utf-8").partition("\n")
        if checksum != _digest(text):
            return None
        kept, seen, made = json.loads(text)
    except (OSError, ValueError):
        return None
    if kept != basis or any(_mark(reads[who](path)) != mark for who, marks in seen.items() for path, mark in marks.items()):
        return None
    answer: Json = made
    return answer


def _recording(read: Read, seen: dict[str, str | None]) -> Read:
    def recorded(path: str) -> str | None:
        text = read(path)
        seen[path] = _mark(text)
        return text

    return recorded


@lru_cache(maxsize=256)  # several images read the same files
def _mark(text: str | None) -> str | None:
    return None if text is None else _digest(text)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@once
def _code() -> str:
    """What the code is that cuts: our own, that of PyYAML (its version stands in its first module), and the libraries of this Python."""
    here = Path(__file__).parent
    yaml = find_spec("yaml")
    files = [*(here / f"{name}.py" for name in _CODE), here.parent / "documents.py", *([Path(yaml.origin)] if yaml and yaml.origin else ())]
    return " ".join((sys.version, *(hashlib.sha256(file.read_bytes()).hexdigest() for file in files)))

"""The key: a hash of everything that can change an image."""

import hashlib
import itertools
import json
from collections.abc import Iterable, Mapping

from ops.images.model import EPOCH, InputFile, Inputs

FORM = 4  # part of every key: raise it when the way images are built changes


def key(inputs: Inputs) -> str:
    """64 hex digits. Equal for equal inputs, whatever their order; any difference gives another key.

    The tag of a base image is not in it, nor the Dockerfile's place: only what they stand for reaches the image.
    """
    document = {
        "form": FORM,
        "epoch": EPOCH,
        "recipe": inputs.recipe,
        "platform": inputs.platform,
        "arguments": dict(inputs.arguments),
        "bases": {argument: base.digest for argument, base in inputs.bases.items()},
    }
    return digest_of(document, inputs.entries)


def digest_of(document: Mapping[str, object], entries: Iterable[InputFile]) -> str:
    """64 hex digits: equal for equal values and equal files (path, mode, content), whatever their order."""
    # ASCII JSON with sorted keys: one text for one value, and no two values share a text. Names of files hold no NUL.
    files = sorted([entry[:3] for entry in entries])
    digest = hashlib.sha256(json.dumps(document, sort_keys=True, separators=(",", ":")).encode("ascii"))
    digest.update("\0".join(["", *itertools.chain.from_iterable(files)]).encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def blob(content: bytes, length: int = 40) -> str:
    """Git's id of a blob with this content; `length` 64 in a repository of SHA-256 objects."""
    algorithm = hashlib.sha256 if length == 64 else hashlib.sha1
    return algorithm(b"blob %d\0%b" % (len(content), content), usedforsecurity=False).hexdigest()

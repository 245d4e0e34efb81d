"""The annotation of a release's tag: a release writes it, and a deploy of the tag reads which images it names."""

import re
from collections.abc import Mapping

_IMAGE = re.compile(r"Image: (\S+)@(sha256:[0-9a-f]{64})")


def message(platform: str, version: str, digests: Mapping[str, str], section: str) -> str:
    """The annotation: the changes, then the images by digest as trailers. `digests` maps the image's repository to its digest."""
    body = section.replace("\n#", "\n").lstrip("# ")  # `git tag` would take # for a comment when somebody edits it
    trailers = "\n".join(f"Image: {repository}@{digest}" for repository, digest in sorted(digests.items()))
    return f"{platform} {version}\n\n{body.strip()}\n\n{trailers}\n"


def images(annotation: str) -> dict[str, str]:
    """The digest of each image by repository: the trailers `Image:` of an annotation, none in one that somebody else wrote.

    Only the last paragraph holds trailers (git-interpret-trailers): what a commit says of an image, among the changes, counts for nothing.
    A signature below it (git-tag, gpg.format) is none.
    """
    unsigned = re.split(r"^-----BEGIN [A-Z ]+-----\s*$", annotation, maxsplit=1, flags=re.MULTILINE)[0]
    last = re.split(r"\n\s*\n", unsigned.strip())[-1]
    return {found[1]: found[2] for line in last.splitlines() if (found := _IMAGE.fullmatch(line.strip()))}

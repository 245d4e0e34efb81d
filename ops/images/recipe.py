"""An image's Dockerfile: read, and searched for what no key can hold."""

from ops.catalog.model import Image, Service
from ops.errors import UsageError
from ops.images import dockerfile
from ops.images.dockerfile import Dockerfile, DockerfileError
from ops.images.model import EPOCH


def parse(file: str, text: str) -> Dockerfile:
    """Read a Dockerfile. Raises `UsageError` where it cannot be read."""
    try:
        return dockerfile.read(text)
    except DockerfileError as error:
        remedy = "Correct that line; what cannot be read may hide what the image depends on."
        raise UsageError(f"reading {file}", str(error), remedy) from error


def check(image: Image, recipe: Dockerfile) -> None:
    """Raises `UsageError` for a Dockerfile that names what could change without a new key."""
    known = {**arguments(image), "APP_VERSION": "x", "SOURCE_DATE_EPOCH": str(EPOCH)}
    if found := dockerfile.outside(recipe, image.stack.bases, known):
        remedy = (
            f"Name base images under `bases` of the stack {image.stack.name} in platform.yaml, or by @sha256:…; "
            "take files from the context with COPY, and addresses with --checksum."
        )
        cause = "this could change without a new key:\n" + "\n".join(f"line {each.line}: {each.what}" for each in found)
        raise UsageError(f"reading {image.dockerfile}", cause, remedy)


def arguments(image: Image) -> dict[str, str]:
    """The build arguments that a Dockerfile may ask for, besides the bases and APP_VERSION (the image's own first digits)."""
    values = {"SERVICE_NAME": image.name, "SERVICE_PATH": image.path, "USER_ID": str(image.stack.user)}
    return values | ({"PORT": str(image.port)} if isinstance(image, Service) else {})

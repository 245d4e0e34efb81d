"""Whether the catalogue's Dockerfiles name nothing that could change an image and not its key."""

from ops.catalog import Catalog
from ops.errors import UsageError
from ops.images import recipe
from ops.images.disk import plain


def check(catalog: Catalog) -> int:
    """How many Dockerfiles were read. Raises `UsageError` with every mistake, not only the first file's."""
    images = {image.dockerfile: image for image in catalog.images.values()}
    wrong: list[UsageError] = []
    for file, image in images.items():
        try:
            recipe.check(image, recipe.parse(file, plain(catalog.root, file).decode()))
        except UsageError as error:
            wrong.append(error)
    if wrong:
        raise UsageError("checking the Dockerfiles", "\n".join(f"{error.doing}: {error.cause}" for error in wrong), wrong[0].remedy)
    return len(images)

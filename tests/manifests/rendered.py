"""The overlays of this checkout, as a cluster gets them."""

import functools
from pathlib import Path
from typing import Any

import yaml

from ops import catalog as catalogue
from ops.manifests.render import build

ROOT = Path(__file__).parents[2]
CATALOG = catalogue.load(ROOT)


@functools.cache
def objects(environment: str) -> list[dict[str, Any]]:
    overlay = CATALOG.environments[environment].overlay
    assert overlay
    return [document for document in yaml.safe_load_all(build(ROOT / overlay)) if document]

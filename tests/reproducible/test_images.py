"""Two builds of one commit are one image: every image of the catalogue, in another folder and without the builder's cache."""

import subprocess
import uuid
from dataclasses import replace
from pathlib import Path

import pytest

from ops import catalog as catalogue
from ops import testbed as rooms
from ops.images import build, plan
from ops.verbs.build import engine_of
from tests.uncached import build_without_cache

ROOT = Path(__file__).parents[2]


def test_every_image_has_the_same_digest_when_it_is_built_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rooms.up()
    catalog = catalogue.load(ROOT)
    engine = engine_of(catalog, testbed=True)
    first = build(plan(catalog, [], engine, push=True), engine, True)
    build_without_cache(monkeypatch)
    other = tmp_path / "another folder"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(other)], check=True)
    again = replace(catalogue.load(other), prefix=f"again-{uuid.uuid4().hex[:8]}")
    decided = plan(again, [], engine, push=True)
    assert {image.action for image in decided.images} == {"build"}

    assert build(decided, engine, True) == first

"""Two builds of one commit are one image: every image of the catalogue, in another folder and without the builder's cache."""

import json
import subprocess
import uuid
from dataclasses import replace
from pathlib import Path

import pytest

from ops import catalog as catalogue
from ops import testbed as rooms
from ops.images import bake, build, plan
from ops.images.verb import engine_of

ROOT = Path(__file__).parents[2]


def test_every_image_has_the_same_digest_when_it_is_built_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rooms.up()
    catalog = catalogue.load(ROOT)
    engine = engine_of(catalog, testbed=True)
    first = build(plan(catalog, [], engine, push=True), engine, True)
    whole = bake.bakefile

    def uncached(*arguments: object, **options: object) -> dict[str, object]:
        document = json.loads(json.dumps(whole(*arguments, **options)))  # type: ignore[arg-type]
        for target in document["target"].values():
            target["no-cache"] = True
        return document

    monkeypatch.setattr(bake, "bakefile", uncached)
    other = tmp_path / "another folder"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(other)], check=True)
    again = replace(catalogue.load(other), prefix=f"again-{uuid.uuid4().hex[:8]}")
    decided = plan(again, [], engine, push=True)
    assert {image.action for image in decided.images} == {"build"}

    assert build(decided, engine, True) == first

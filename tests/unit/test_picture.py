"""The picture of docs/architecture.md shows the house as it is."""

import pkgutil
import re
import tomllib
from xml.etree import ElementTree

from ops.checks import picture

AGAIN = "draw it again: uv run python -m ops.checks.picture"


def test_its_floors_are_those_that_import_linter_holds() -> None:
    contracts = tomllib.loads((picture.ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    shown = [rect.attrib["data-rooms"].split() for rect in ElementTree.parse(picture.FILE).iter() if "data-rooms" in rect.attrib]
    assert shown == [*(re.findall(r"\w+", layer) for layer in layers[:-1]), [picture.GROUND]], AGAIN


def test_its_rooms_are_the_folders_of_ops() -> None:
    folders = {file.parent.name for file in (picture.ROOT / "ops").glob("*/__init__.py")}
    assert {*folders, picture.GROUND} == set(picture.house().rooms)


def test_its_dots_are_the_imports_and_none_climbs() -> None:
    house = picture.house()
    assert picture.FILE.read_text(encoding="utf-8") == picture.drawn(house), AGAIN
    at = {room: number for number, room in enumerate(house.rooms)}
    assert house.imports
    assert not [pair for pair in house.imports if at[pair[0]] > at[pair[1]]]


def test_every_function_that_the_document_names_is_there() -> None:
    named = re.findall(r"`(ops(?:\.\w+)+)`", (picture.ROOT / "docs/architecture.md").read_text(encoding="utf-8"))
    assert len(named) > 20
    for name in named:
        assert pkgutil.resolve_name(name), name


def test_every_room_is_explained_in_the_order_of_the_floors() -> None:
    rows = re.findall(r"^\| `ops/(\w+)/` \|.*\| `(\S+)` \|$", (picture.ROOT / "docs/architecture.md").read_text(encoding="utf-8"), re.M)
    assert [room for room, _ in rows] == [room for room in picture.house().rooms if room != picture.GROUND]
    assert all((picture.ROOT / "ops" / room / file).is_file() for room, file in rows)

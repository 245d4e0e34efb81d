"""The picture of the house: `python -m ops.checks.picture` draws docs/pictures/architecture.svg from pyproject.toml and the imports.

A row and a column for each room, from the roof down; a dot where the room of the row imports from the room of the column. No import
climbs, so every dot lies right of the diagonal.
"""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "docs" / "pictures" / "architecture.svg"
GROUND = "ground"  # the files of ops/ itself, drawn as one room

_ROW, _NAME, _HEAD, _EDGE = 26, 130, 86, 14  # pixels: a row, the width of the names, the height of the headings, the margin


@dataclass(frozen=True, slots=True)
class Floors:
    """The floors from the roof down, each with its rooms, and which room imports from which."""

    floors: tuple[tuple[str, ...], ...]
    imports: frozenset[tuple[str, str]]

    @property
    def rooms(self) -> tuple[str, ...]:
        """Every room, from the roof down."""
        return tuple(room for floor in self.floors for room in floor)


def floors(pyproject: Path = ROOT / "pyproject.toml") -> tuple[tuple[str, ...], ...]:
    """The layers of import-linter's contract. Its lowest one holds files, not rooms: it is `GROUND`."""
    contracts = tomllib.loads(pyproject.read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    return (*(tuple(room.strip() for room in layer.split("|")) for layer in layers[:-1]), (GROUND,))


def house() -> Floors:
    """The house as it is: the floors of pyproject.toml, and the imports that import-linter's own graph finds."""
    import grimp

    graph, found = grimp.build_graph("ops", cache_dir=None), floors()
    rooms = {room for floor in found for room in floor}

    def room_of(module: str) -> str:
        _, _, rest = module.partition(".")
        room = rest.partition(".")[0]
        return room if room in rooms else GROUND

    pairs = {(room_of(a), room_of(b)) for a in graph.modules for b in graph.find_modules_directly_imported_by(a)}
    return Floors(found, frozenset((a, b) for a, b in pairs if a != b))


def drawn(shown: Floors) -> str:
    """The picture as SVG."""
    side = _ROW * len(shown.rooms)
    width, height = _NAME + side + _EDGE, _HEAD + side + _EDGE
    style = "font-family: ui-monospace, Menlo, Consolas, DejaVu Sans Mono, monospace; font-size: 13px; fill: #24292f"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" style="{style}">',
        "<title>The floors of ops/, from the roof down, and which room imports from which</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        *_bands(shown, width),
        *_names(shown),
        *_dots(shown),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _bands(shown: Floors, width: int) -> Iterator[str]:
    """A band for each floor, every second one shaded."""
    top = _HEAD
    for number, floor in enumerate(shown.floors):
        high = _ROW * len(floor)
        fill = "#f3f5f7" if number % 2 else "#e4e9ee"
        yield f'<rect class="floor" data-rooms="{escape(" ".join(floor))}" y="{top}" width="{width}" height="{high}" fill="{fill}"/>'
        top += high


def _names(shown: Floors) -> Iterator[str]:
    for number, room in enumerate(shown.rooms):
        middle = _ROW * number + _ROW // 2
        yield f'<text x="{_EDGE}" y="{_HEAD + middle + 4}" font-weight="bold">{escape(room)}</text>'
        yield f'<text transform="translate({_NAME + middle + 4} {_HEAD - 8}) rotate(-60)">{escape(room)}</text>'


def _dots(shown: Floors) -> Iterator[str]:
    """The imports; and the diagonal, where a room meets itself."""
    at = {room: _ROW * number + _ROW // 2 for number, room in enumerate(shown.rooms)}
    for middle in at.values():
        yield f'<rect x="{_NAME + middle - 3}" y="{_HEAD + middle - 3}" width="6" height="6" fill="#b8c2cc"/>'
    for importer, imported in sorted(shown.imports, key=lambda pair: (at[pair[0]], at[pair[1]])):
        where = f'cx="{_NAME + at[imported]}" cy="{_HEAD + at[importer]}"'
        yield f'<circle {where} r="6" fill="#1f6feb"><title>{escape(importer)} imports from {escape(imported)}</title></circle>'


if __name__ == "__main__":
    FILE.write_text(drawn(house()), encoding="utf-8")

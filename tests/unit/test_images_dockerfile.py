"""Dockerfiles, read as BuildKit reads them: a table of them, with what each depends on (tests/data/dockerfiles/table.yaml)."""

from dataclasses import replace
from pathlib import Path
from typing import NotRequired, TypedDict

import pytest
import yaml

from ops.images.dockerfile import DockerfileError, arguments, outside, read


class Row(TypedDict):
    """One Dockerfile of the table."""

    name: str
    text: str
    arguments: NotRequired[list[str]]
    outside: NotRequired[list[str]]
    error: NotRequired[str]


TABLE: list[Row] = yaml.safe_load((Path(__file__).parents[1] / "data/dockerfiles/table.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("row", TABLE, ids=[row["name"] for row in TABLE])
def test_a_dockerfile_depends_on_what_the_table_says(row: Row) -> None:
    if "error" in row:
        with pytest.raises(DockerfileError, match=row["error"].replace("\\", r"\\")):
            read(row["text"])
        return
    file = read(row["text"])
    assert [replace(each, line=0) for each in read(file.bare()).instructions] == [replace(each, line=0) for each in file.instructions]
    assert {n: v for n, (_, v) in read(file.bare()).directives.items()} == {n: v for n, (_, v) in file.directives.items()}
    assert sorted(arguments(file)) == row.get("arguments", [])
    found, wanted = outside(file, ["BASE"], {"PORT": "1"}), row.get("outside", [])
    assert [(each.line, all(word in each.what for word in text.split()[1:])) for each, text in zip(found, wanted, strict=True)] == [
        (int(text.partition(":")[0]), True) for text in wanted
    ], found


ONE = "ARG BASE\nFROM ${BASE}\nRUN a \\\n  b\nRUN <<E\n# in the shell\nx\nE\n"


@pytest.mark.parametrize(
    "other",
    [
        "# what this is\n\n" + ONE,
        ONE.replace("RUN a", "# why\nRUN a"),
        ONE.replace("  b", "  # why \\\n  b"),
        ONE.replace("ARG", "   ARG"),
        ONE + "\n\n# the end",
        ONE.replace("\n", "\r\n", 3),
    ],
    ids=["top", "between", "inside", "indented", "end", "line ends"],
)
def test_comments_and_empty_lines_are_no_difference(other: str) -> None:
    assert other != ONE
    assert read(other).bare() == read(ONE).bare()


@pytest.mark.parametrize(
    "other",
    [
        ONE.replace("# in the shell", "# in the other"),
        ONE.replace("RUN a", "RUN  'a"),
        ONE.replace("\\\n  b", "\nRUN b"),
        "# escape=`\n" + ONE.replace("\\", "`"),
        ONE.replace("<<E", "<<-E"),
        ONE.replace("x\n", "x\r\n"),
    ],
    ids=["here-document", "command", "lines", "escape", "tabs", "line end in a here-document"],
)
def test_everything_else_is_one(other: str) -> None:
    assert read(other).bare() != read(ONE).bare()

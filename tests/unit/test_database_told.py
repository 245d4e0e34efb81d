"""What the gates say of a verdict, each thing once: as a warning, or in the refusal."""

import pytest

from ops.database.findings import Finding, Verdict
from ops.database.safety import TargetDatabase, admit
from ops.errors import Refused

FAILS = Finding("0003_x.sql", 2, "fails", 'column "nope" does not exist [42703]')
DROPS = Finding("0003_x.sql", 1, "drop-table", "public.t")


def said(verdict: Verdict, where: TargetDatabase) -> tuple[list[str], Refused | None]:
    lines: list[str] = []
    try:
        admit(verdict, where, lines.append)
    except Refused as refused:
        return lines, refused
    return lines, None


def test_a_statement_that_fails_on_the_scratch_database_is_told_once() -> None:
    lines, refused = said(Verdict((FAILS,), tried="18.1"), TargetDatabase())
    assert lines == [f"warning: {FAILS}"] and refused is None
    lines, refused = said(Verdict((FAILS,), tried="18.1"), TargetDatabase(protected=True))
    assert lines == [] and refused is not None and refused.cause == str(FAILS)
    assert "SCRATCH_DATABASE_URL" in refused.remedy and "nextai:contract" not in refused.remedy


def test_a_refusal_names_everything_that_stops_the_migrations() -> None:
    lines, refused = said(Verdict((DROPS, FAILS), tried="17.2"), TargetDatabase(major=18, protected=True))
    assert lines == [] and refused is not None
    other = "the migrations were tried on PostgreSQL 17, and the environment has 18, and the environment is protected"
    assert refused.cause.splitlines() == [str(DROPS), str(FAILS), other]
    assert "nextai:contract" in refused.remedy and "\n" not in refused.remedy


@pytest.mark.parametrize(
    ("where", "refused", "lines"),
    [
        (TargetDatabase(), "", ["warning: the migrations were judged by their text alone: no server"]),
        (TargetDatabase(beside=True), "the migrations were judged by their text alone: no server", []),
        (TargetDatabase(protected=True), "the migrations were judged by their text alone: no server, and the environment is protected", []),
    ],
)
def test_that_nothing_was_tried_is_told_once(where: TargetDatabase, refused: str, lines: list[str]) -> None:
    shown, failure = said(Verdict((), why="no server"), where)
    assert shown == lines and (failure.cause if failure else "") == refused

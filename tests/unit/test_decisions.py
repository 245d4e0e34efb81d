"""docs/decisions: one decision a file, with status, context, decision and consequences; what links to a file finds it."""

import re
from pathlib import Path

import pytest

from ops.checks import decisions
from ops.checks.files import tracked
from ops.database.rules import RULES
from ops.errors import Failure
from tests.unit.small_repository import repository

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "decisions"
PARTS = ["Status", "Context", "Decision", "Consequences"]
TABLES = {FOLDER / "README.md", FOLDER / "dependencies.md"}
DECISIONS = sorted({*FOLDER.rglob("*.md")} - TABLES)
DOCUMENTS = [ROOT / name for name in tracked(ROOT, "*.md")]


@pytest.mark.parametrize("file", DECISIONS, ids=lambda file: str(file.relative_to(FOLDER)))
def test_a_file_holds_one_decision_with_its_four_parts(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert len(re.findall(r"^# .", text, re.MULTILINE)) == 1 and text.startswith("# ")
    assert re.findall(rf"^(?:\*\*|## )({'|'.join(PARTS)})\b", text, re.MULTILINE) == PARTS


def test_each_file_is_listed_once() -> None:
    listed = re.findall(r"\]\(([^):]+\.md)\)", (FOLDER / "README.md").read_text(encoding="utf-8").partition("\n## ")[2])
    assert sorted(listed) == sorted(str(file.relative_to(FOLDER)) for file in (*DECISIONS, FOLDER / "dependencies.md"))


@pytest.mark.parametrize("file", DOCUMENTS, ids=lambda file: str(file.relative_to(ROOT)))
def test_each_link_of_a_document_leads_to_a_file(file: Path) -> None:
    links = re.findall(
        r"\]\(([^)#\s]+)(?:#[^)]*)?\)", re.sub(r"```.*?```|`[^`\n]*`", "", file.read_text(encoding="utf-8"), flags=re.DOTALL)
    )
    assert [link for link in links if "://" not in link and not (file.parent / link).exists()] == []


@pytest.mark.parametrize("there", [True, False])
def test_a_decision_that_is_named_and_is_not_there_is_told(tmp_path: Path, there: bool) -> None:
    root = repository(tmp_path)
    record = Path("docs/decisions") / "why.md"  # in two parts: this file is searched, too
    (root / "src/a.py").write_text(f"# {record}\n")
    if there:
        (root / record.parent).mkdir()
        (root / record).write_text("# Why\n")
        decisions.check(root)
    else:
        with pytest.raises(Failure, match=r"not there: docs/decisions/why\.md \(in src/a\.py\)"):
            decisions.check(root)


def test_the_decision_on_migrations_has_the_table_that_the_code_has() -> None:
    text = (FOLDER / "migration-gates.md").read_text(encoding="utf-8")
    told = {rule: (level, breaks) for rule, level, breaks in re.findall(r"^\| `([a-z-]+)` \| (\w+) \| (yes|no) \|", text, re.MULTILINE)}
    assert told == {rule: (known.level, "yes" if known.breaks else "no") for rule, known in RULES.items()}

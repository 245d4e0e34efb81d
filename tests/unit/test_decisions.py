"""docs/decisions: one decision a file, with status, context, decision and consequences; what links to a file finds it."""

import re
from pathlib import Path

import pytest

from ops.checks.files import tracked

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


def test_each_decision_that_is_named_is_there() -> None:
    files = [ROOT / name for name in tracked(ROOT, "*.py", "*.md", "*.yaml", "*.yml", "*.ts", "*.go")]
    texts = (file.read_text(encoding="utf-8", errors="ignore") for file in files)
    named = {name for text in texts for name in re.findall(r"docs/decisions/[\w./-]+\.md", text)}
    assert len(named) > 5
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []

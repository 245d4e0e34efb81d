"""The changelog: what commits say, and nothing that a terminal or Markdown would act on."""

import subprocess
from pathlib import Path

import pytest

from ops.console.visible import plain, visible
from ops.release.changelog import change, section, written

ESC = "\x1b"


def line(message: str) -> str:
    """How one commit stands in the changelog: its heading and its line."""
    text = written("1.0.0", "2026-01-02", [change("0123456789", message)])
    return "\n".join(text.strip().splitlines()[2:])


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("feat(web): a page", "### Added\n- **web**: A page (0123456)"),
        ("FEAT: a page", "### Added\n- A page (0123456)"),
        ("feature: a page", "### Added\n- A page (0123456)"),
        ("fix: a bug\n\nwith a long body\nof lines", "### Fixed\n- A bug (0123456)"),
        ("fixture: not a fix", "### Other\n- Not a fix (0123456)"),
        ("featuring: not a feature", "### Other\n- Not a feature (0123456)"),
        ("perf(images): less", "### Faster\n- **images**: Less (0123456)"),
        ("refactor: a", "### Inside\n- A (0123456)"),
        ("just words", "### Other\n- Just words (0123456)"),
        ("feat:no space", "### Other\n- Feat:no space (0123456)"),
        ("feat!: another form", "### Breaking\n- Another form (0123456)"),
        ("feat(web)!: another form", "### Breaking\n- **web**: Another form (0123456)"),
        (
            "feat(api): another form\n\nA body.\n\nBREAKING CHANGE: send the\n new form\nReviewed-by: Z",
            "### Breaking\n- **api**: Another form (0123456) — send the new form",
        ),
        ("fix: a\n\nBREAKING-CHANGE: b", "### Breaking\n- A (0123456) — b"),
        ("fix: a\n\nnot a BREAKING CHANGE: b", "### Fixed\n- A (0123456)"),
    ],
)
def test_a_commit_stands_under_what_it_is(message: str, expected: str) -> None:
    assert line(message) == expected


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("feat: # Security release", "\\# Security release"),
        ("## 9.9.9 (2030-01-01)", "\\## 9.9.9 (2030-01-01)"),
        ("feat: <img src=x onerror=alert(1)>", "\\<img src=x onerror=alert(1)\\>"),
        ("feat: [click](https://example.org)", "\\[click\\](https://example.org)"),
        ("feat: ![x](https://example.org/x.png)", "!\\[x\\](https://example.org/x.png)"),
        ("feat: `a <b>` and <c>", "`a <b>` and \\<c\\>"),
        ("feat: an open ` backtick", "An open \\` backtick"),
        ("1. a list", "1\\. a list"),
        ("feat: - a list", "\\- a list"),
        (f"feat: {ESC}[2J{ESC}]0;title\x07 red", "\\\\x1b\\[2J\\\\x1b\\]0;title\\\\x07 red"),
        ("feat: a\u202eb", "A\\\\u202eb"),
        ("feat: a\rforged", "A forged"),
    ],
)
def test_words_of_a_commit_are_no_markup_and_move_no_cursor(message: str, expected: str) -> None:
    assert line(message).splitlines()[1].removesuffix(" (0123456)") == f"- {expected}"


def test_a_forged_section_in_a_body_or_footer_stays_out() -> None:
    text = written(
        "1.0.0", "2026-01-02", [change("0" * 40, "feat: a\n\n## 9.9.9\n\n- forged\n\nBREAKING CHANGE: x\n## 8.8.8\n\n### Added")]
    )
    assert [row for row in text.splitlines() if row.startswith("#")] == ["## 1.0.0 (2026-01-02)", "### Breaking"]


def test_merges_and_releases_are_not_listed_and_the_oldest_stands_first(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        identity = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
        subprocess.run(["git", *identity, *words], cwd=tmp_path, check=True, capture_output=True)

    git("init", "-q", "-b", "main")
    git("commit", "-q", "--allow-empty", "-m", "feat: one")
    git("switch", "-q", "-c", "side")
    git("commit", "-q", "--allow-empty", "-m", "feat: two")
    git("switch", "-q", "main")
    git("commit", "-q", "--allow-empty", "-m", "chore(release): v0.1.0")
    git("merge", "-q", "--no-ff", "-m", "Merge branch 'side'", "side")
    text = section(tmp_path, None, "v0.2.0")
    assert text.startswith("## 0.2.0 (20") and text.index("One") < text.index("Two")
    assert "Merge" not in text and "v0.1.0" not in text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\tb\nc", "a\tb\nc"),
        (f"{ESC}[31mred{ESC}[0m", f"{ESC}[31mred{ESC}[0m"),
        (f"{ESC}[31mred", f"{ESC}[31mred{ESC}[0m"),
        (f"{ESC}]52;c;Y2F0\x07", "\\x1b]52;c;Y2F0\\x07"),
        (f"{ESC}[2K{ESC}[1Adone", "\\x1b[2K\\x1b[1Adone"),
        ("\x9b31m", "\\x9b31m"),
        ("a\r\nb", "a\nb"),
        ("ok\rforged", "ok\\rforged"),
        ("a\x08b", "a\\x08b"),
        ("\u2066x", "\\u2066x"),
        ("中文 ü 🎉", "中文 ü 🎉"),
    ],
)
def test_a_terminal_gets_colours_and_nothing_else_that_it_obeys(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_a_line_for_a_file_is_one_line() -> None:
    assert plain(f"a\n\t b{ESC}[1m") == "a b\\x1b[1m"

"""The changelog: a section from the commits, put on top of the file.

Commits are read by Conventional Commits 1.0.0 (conventionalcommits.org): `type(scope)!: description`, and a footer
`BREAKING CHANGE: text`. Only the first line of a message and that footer enter the changelog: a body is for who reads the commit. The words
are other people's, so what Markdown or a terminal would act on is escaped.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ops.command import Command, run
from ops.console.visible import plain
from ops.release.version import PREFIX

FILE = "CHANGELOG.md"
TITLE = "# Changelog\n"
LONGEST = 300  # characters of a description
BREAKING, OTHER = "Breaking", "Other"
GROUPS = {
    "Added": ("feat", "feature"),
    "Fixed": ("fix", "bugfix"),
    "Faster": ("perf",),
    "Documentation": ("docs", "doc"),
    "Inside": ("refactor", "test", "tests", "ci", "build", "chore", "style"),
}
_GROUP_OF = {kind: group for group, kinds in GROUPS.items() for kind in kinds}
_SUBJECT = re.compile(r"(?P<kind>[A-Za-z]+)(?:\((?P<scope>[\w ./,@-]+)\))?(?P<breaking>!)?:\s+(?P<text>\S.*)")
_FOOTER = re.compile(r"^BREAKING[ -]CHANGE: *(?P<text>.+(?:\n(?!\S+: |\S+ #|\n).+)*)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ChangelogEntry:
    """A commit as the changelog has it. `breaking` is what the footer says, "" where only `!` marks it, None where nothing breaks."""

    commit: str
    kind: str
    scope: str
    text: str
    breaking: str | None = None

    @property
    def group(self) -> str:
        """The heading under which it stands."""
        return BREAKING if self.breaking is not None else _GROUP_OF.get(self.kind, OTHER)


def section(root: Path, previous: str | None, tag: str) -> str:
    """The Markdown section of the commits since the tag `previous` (all of them before the first release)."""
    commits = [f"refs/tags/{previous}..HEAD"] if previous else ["HEAD"]
    # Merges say nothing that their commits do not. Signatures are not asked for, whatever log.showSignature says.
    argv = (
        "git",
        "log",
        "-z",
        "--reverse",
        "--no-merges",
        "--no-show-signature",
        "--no-color",
        "--encoding=UTF-8",
        "--format=%H%n%B",
        *commits,
        "--",
    )
    done = run(Command(argv, "reading the commits for the changelog", cwd=root))
    changes = [change(*entry.partition("\n")[::2]) for entry in done.stdout.split("\0") if entry]
    return written(tag.removeprefix(PREFIX), datetime.now(UTC).date().isoformat(), changes)


def change(commit: str, message: str) -> ChangelogEntry:
    """What a commit's message says."""
    first, _, rest = message.strip().partition("\n")
    found = _SUBJECT.fullmatch(plain(first))
    footer = _FOOTER.search(rest)
    breaking = footer["text"] if footer else "" if found and found["breaking"] else None
    if found is None:
        return ChangelogEntry(commit, "", "", first, breaking)
    return ChangelogEntry(commit, found["kind"].lower(), found["scope"] or "", found["text"], breaking)


def written(version: str, date: str, changes: Iterable[ChangelogEntry]) -> str:
    """The section: a heading, then the changes by group, what breaks first."""
    found: dict[str, list[str]] = {}
    for item in changes:
        if (item.kind, item.scope) != ("chore", "release"):
            found.setdefault(item.group, []).append(_line(item))
    groups = [group for group in (BREAKING, *GROUPS, OTHER) if group in found]
    parts = [f"## {version} ({date})", *("\n".join([f"### {group}", *found[group]]) for group in groups)]
    return "\n\n".join(parts) + "\n"


def with_section(text: str, new: str) -> str:
    """The changelog `text` with a section on top, below the title."""
    older = text.removeprefix(TITLE).strip("\n")
    return "\n".join([TITLE, new.strip("\n"), *(["", older] if older else []), ""])


def _line(item: ChangelogEntry) -> str:
    scope = f"**{_markdown(item.scope)}**: " if item.scope else ""
    text = _markdown(item.text)
    breaking = f" — {_markdown(item.breaking)}" if item.breaking else ""
    return f"- {scope}{text[:1].upper()}{text[1:]} ({item.commit[:7]}){breaking}"


def _markdown(words: str) -> str:
    """One line of plain text as Markdown: no heading, list, link, image or HTML of its own; code between backticks stays code."""
    line = plain(words)
    if len(line) > LONGEST:
        line = line[:LONGEST] + "…"
    pieces = re.split(r"(`[^`]+`)", line)
    text = "".join(p if p.startswith("`") and len(p) > 1 else re.sub(r"[\\`<>\[\]]", r"\\\g<0>", p) for p in pieces)
    return re.sub(r"^(\d*)(?=[#>+*=|~.)-])", r"\1\\", text)

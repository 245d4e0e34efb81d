"""What the gates find in a migration, as values."""

from dataclasses import dataclass

from ops.database.rules import RULES

DOUBTS = {"untried", "fails"}  # what stands behind such a statement was judged by its text


@dataclass(frozen=True, slots=True)
class Finding:
    """What a gate is about: the rule, the place, what it was done to, and the reason of the waiver that allows it."""

    file: str
    line: int
    rule: str
    detail: str = ""
    waived: str = ""

    @property
    def level(self) -> str:
        """refused, warned or shown."""
        return RULES[self.rule].level

    @property
    def what(self) -> str:
        """What the statement does."""
        return f"{RULES[self.rule].what} ({self.detail})" if self.detail else RULES[self.rule].what

    @property
    def advice(self) -> str:
        """What to do instead."""
        return RULES[self.rule].advice

    @property
    def refused(self) -> bool:
        """Whether it stops the migration."""
        return self.level == "refused" and not self.waived

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.what} [{self.rule}]. {self.advice}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """All findings of the files, in their order. `tried`: by which PostgreSQL, or nothing, and then `why` says why not.

    `replayed`: why the schema was made from the files that have run, where the environment's own was to be had.
    """

    findings: tuple[Finding, ...]
    tried: str = ""
    why: str = ""
    replayed: str = ""

    @property
    def major(self) -> int:
        """The major version that the files were tried on, or 0."""
        return int(self.tried.split(".")[0]) if self.tried else 0

    def of(self, file: str) -> tuple[Finding, ...]:
        """The findings of one file."""
        return tuple(finding for finding in self.findings if finding.file == file)

"""Weighing what three witnesses say of migrations: a run (`effects`), our reading of the text (`reading`), squawk (`lint`).

What running measures, running decides; what it cannot see, the readers decide. Each finding has a rule (`rules`), which says who decides
on it, and a waiver (`waiver`) allows one rule of one statement. Pure.
"""

import math
from bisect import bisect
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ops.database import reading, waiver
from ops.database.effects import Effect
from ops.database.findings import DOUBTS, Finding
from ops.database.journal import ALONE, Migration
from ops.database.reading import World
from ops.database.rules import RULES

if TYPE_CHECKING:
    from ops.database.lint import LintFinding


@dataclass(frozen=True, slots=True)
class Witnesses:
    """What is said of files, by their names. `effects`: what a run did; a file that is not there was not run. `squawk`: None where
    there is no squawk."""

    effects: Mapping[str, tuple[Effect, ...]] = field(default_factory=dict)
    squawk: "Mapping[str, tuple[LintFinding, ...]] | None" = None


def weighed(pending: Sequence[Migration], witnesses: Witnesses, world: World) -> tuple[Finding, ...]:
    """The findings about files, in their order. `world`: what the files before them have made."""
    found: list[Finding] = []
    for migration in pending:
        world = world.next_file()
        file = _File(migration, witnesses.effects.get(migration.file))
        file.hear_run()
        file.hear_text(read(migration, world), squawk=witnesses.squawk is not None)
        file.hear_squawk((witnesses.squawk or {}).get(migration.file, ()))
        found += file.findings()
    return tuple(found)


def by_text(migration: Migration) -> tuple[Finding, ...]:
    """What the text of one file says by itself, with its waivers."""
    return weighed([migration], Witnesses(squawk={}), World())


def read(migration: Migration, world: World) -> dict[int, list[reading.StatementFinding]]:
    """What the text says, by the line of the statement; and what it makes, into `world`."""
    found: dict[int, list[reading.StatementFinding]] = {}
    for statement in migration.statements:
        found.setdefault(statement.line, []).extend(reading.read(statement.text, statement.line, world))
    return found


def contracts(found: Iterable[Finding]) -> tuple[str, ...]:
    """What the findings take away from versions that came before, waived or not, each in a few words."""
    return tuple(dict.fromkeys(finding.what for finding in found if RULES[finding.rule].breaks))


@dataclass(slots=True)
class _File:
    """The findings of one file while they are gathered, by statement and rule. `effects`: None where the file was not run."""

    migration: Migration
    effects: tuple[Effect, ...] | None
    gathered: dict[tuple[int, str], Finding] = field(default_factory=dict)
    _begins: list[int] = field(init=False)  # the lines on which its statements begin, in order
    _alone: set[int] = field(init=False)  # those that run outside of a transaction: when they can be looked at, their locks are gone
    _reached: float = field(init=False)  # the line of the statement at which the run ended

    def __post_init__(self) -> None:
        self._begins = [one.line for one in self.migration.statements]
        self._alone = {one.line for one in self.migration.statements if ALONE.search(one.shape)}
        self._reached = next((one.line for one in self.effects or () if one.rule in DOUBTS), math.inf)

    def add(self, rule: str, statement: int, line: int, detail: str = "") -> None:
        """A finding; one rule is told once a statement, by the first witness."""
        key = statement, f"locks {detail}" if rule == "locks" else rule
        if key not in self.gathered:
            self.gathered[key] = Finding(self.migration.file, line, rule, detail)

    def measured(self, statement: int) -> bool:
        """Whether the run shows all that a statement does."""
        return self.effects is not None and statement not in self._alone and statement < self._reached

    def hear_run(self) -> None:
        """What running did."""
        for effect in self.effects or ():
            self.add(effect.rule, effect.line, effect.place or effect.line, effect.detail)

    def hear_text(self, said: Mapping[int, Sequence[reading.StatementFinding]], *, squawk: bool) -> None:
        """What the text says. Without a run and without `squawk` this is the Job, and the deploy has judged before, by what the
        statements do: the Job must not refuse what that has let through."""
        for line, texts in said.items():
            measured = self.measured(line)
            for one in texts:
                rule = RULES[one.rule]
                if measured and rule.measured and not one.inner:
                    continue
                if self.effects is None and not squawk and rule.unsure and not one.inner:
                    self.add("unmeasured", line, one.line, one.rule)
                else:
                    self.add(one.rule, line, one.line)

    def hear_squawk(self, said: "Iterable[LintFinding]") -> None:
        """What squawk says; a rule of its own, for which we have none, counts where nothing was run."""
        for one in said:
            rule, line = RULES[one.rule], self._statement(one.line)
            if rule.squawk and not (rule.measured and self.measured(line)):
                self.add(one.rule, line, one.line, f"squawk: {one.name}")
            elif one.rule == "squawk" and self.effects is None:
                self.add(one.rule, line, one.line, one.name)

    def _statement(self, line: int) -> int:
        """The line of the statement that a line lies in."""
        before = bisect(self._begins, line)
        return self._begins[before - 1] if before else line

    def findings(self) -> list[Finding]:
        """The findings in order, with what waives them, and what is wrong with the waivers."""
        allowed, wrong = waiver.waivers(self.migration.sql)
        begins = Counter(self._begins)
        why = "it stands before several statements in one line"
        wrong += tuple(waiver.Wrong(one.line, why) for one in allowed if begins[one.statement] > 1)
        allowed = tuple(one for one in allowed if begins[one.statement] == 1)
        waivers: dict[tuple[int, str], list[waiver.Waiver]] = {}
        for one in allowed:
            waivers.setdefault((one.statement, one.rule), []).append(one)
        result: list[tuple[int, Finding]] = []
        used: set[waiver.Waiver] = set()
        for (statement, _), finding in self.gathered.items():
            fits = waivers.get((statement, finding.rule), [])
            used.update(fits)
            result.append((statement, replace(finding, waived=fits[0].reason) if fits else finding))
        file = self.migration.file
        result += [(one.line, Finding(file, one.line, "waiver-form", one.why)) for one in wrong]
        result += [(one.line, Finding(file, one.line, "waiver-unused", one.rule)) for one in allowed if one not in used]
        return [finding for _, finding in sorted(result, key=lambda pair: (pair[0], pair[1].line, pair[1].rule, pair[1].detail))]

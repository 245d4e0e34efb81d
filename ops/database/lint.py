"""squawk as a second reader of the files: its default rules about locks and its opt-in rules about what a rollback needs.

It gets copies of the files in a folder of their own, with a configuration of ours: neither a `.squawk.toml` above the checkout nor a
`squawk-ignore` comment in a file switches a rule off. Its rules of taste, and what the runner does itself (time limits), are left out.
"""

import json
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ops.command import Command, run
from ops.database.journal import Migration
from ops.database.sql import nesting
from ops.errors import Failure, UsageError

# squawk's rule → ours (ops/database/rules.py), so that one waiver is enough for what both find.
RULES = {
    "adding-field-with-default": "rewrite-table",
    "adding-foreign-key-constraint": "scan-table",
    "adding-not-nullable-field": "set-not-null",
    "adding-required-field": "add-required-column",
    "adding-serial-primary-key-field": "rewrite-table",
    "ban-alter-database-options": "alter-server",
    "ban-alter-domain-with-add-constraint": "alter-domain",
    "ban-alter-extension": "alter-extension",
    "ban-alter-generated-expression": "drop-default",
    "ban-alter-policy-condition": "alter-policy",
    "ban-alter-policy-roles": "alter-policy",
    "ban-alter-role-options": "alter-role",
    "ban-alter-row-level-security": "row-security",
    "ban-alter-sequence-values": "alter-sequence",
    "ban-alter-system-options": "alter-server",
    "ban-concurrent-index-creation-in-transaction": "squawk",
    "ban-create-policy": "create-policy",
    "ban-detach-inheritance": "detach-partition",
    "ban-disable-trigger": "disable-trigger",
    "ban-drop-column": "drop-column",
    "ban-drop-constraint": "drop-constraint",
    "ban-drop-database": "alter-server",
    "ban-drop-domain": "drop-type",
    "ban-drop-extension": "drop-extension",
    "ban-drop-function": "drop-function",
    "ban-drop-generated-expression": "drop-default",
    "ban-drop-index": "drop-index",
    "ban-drop-not-null": "drop-not-null",
    "ban-drop-policy": "drop-policy",
    "ban-drop-schema": "drop-schema",
    "ban-drop-sequence": "drop-sequence",
    "ban-drop-table": "drop-table",
    "ban-drop-trigger": "drop-trigger",
    "ban-drop-type": "drop-type",
    "ban-drop-view": "drop-view",
    "ban-replace-view-function": "replace",
    "ban-revoke": "revoke",
    "ban-set-schema": "rename",
    "ban-truncate-cascade": "truncate",
    "ban-uncommitted-transaction": "transaction-control",
    "changing-column-type": "change-type",
    "constraint-missing-not-valid": "scan-table",
    "disallowed-unique-constraint": "build-index",
    "renaming-column": "rename",
    "renaming-object": "rename-type",
    "renaming-table": "rename",
    "require-concurrent-index-creation": "build-index",
    "require-concurrent-index-deletion": "drop-index-lock",
    "require-concurrent-partition-detach": "detach-partition",
    "require-concurrent-reindex": "reindex",
    "syntax-error": "squawk",
    "transaction-nesting": "transaction-control",
}
IGNORE = re.compile(r"squawk(-)(ignore|disable|enable)", re.IGNORECASE)
OVERFLOW = "overflowed its stack"
DOING = "checking the migrations with squawk"


@dataclass(frozen=True, slots=True)
class LintFinding:
    """One thing that squawk says: our rule, where, and squawk's own name of the rule."""

    file: str
    line: int
    rule: str
    name: str


def lint(migrations: Sequence[Migration]) -> tuple[LintFinding, ...]:
    """What squawk finds. Raises `Failure` when squawk cannot be run or speaks another language."""
    found: list[LintFinding] = []
    for transactional in (True, False):
        files = [migration for migration in migrations if migration.transactional is transactional]
        if files:
            found += _lint(files, ("--assume-in-transaction",) if transactional else ())
    return tuple(sorted(found, key=lambda said: (said.file, said.line, said.rule)))


def _lint(migrations: Sequence[Migration], options: tuple[str, ...]) -> list[LintFinding]:
    from ops import tools

    squawk = tools.find("squawk")
    with tempfile.TemporaryDirectory(prefix="nextai-squawk-") as name:
        folder = Path(name)
        (folder / "own.toml").write_text("")
        # The names are ours: a migration's own may begin with a dash.
        files = {f"{place}.sql": migration for place, migration in enumerate(migrations)}
        for file, migration in files.items():
            (folder / file).write_text(IGNORE.sub(r"squawk_\2", migration.sql), newline="")
        argv = (
            *squawk.argv,
            "--config",
            "own.toml",
            "--reporter",
            "json",
            "--include",
            ",".join(sorted(RULES.keys() - {"syntax-error"})),
            *options,
            *files,
        )
        # It exits 1 where it has found something, and so tells nothing that its document does not.
        done = run(Command(argv, DOING, squawk.env, cwd=folder), check=False)
    try:
        entries = [entry for entry in json.loads(done.stdout) if entry["rule_name"] in RULES]
        return [LintFinding(files[Path(e["file"]).name].file, e["line"] + 1, RULES[e["rule_name"]], e["rule_name"]) for e in entries]
    except (ValueError, KeyError, TypeError) as error:
        if OVERFLOW in done.stderr:  # it reads nested parentheses by recursion
            deepest = max(migrations, key=lambda migration: nesting(migration.sql))
            cause = f"{deepest.file}: squawk cannot read it, as {nesting(deepest.sql)} parentheses are nested in one another"
            raise UsageError(DOING, cause, "Write the statement with fewer nested parentheses.") from error
        cause = done.stderr.strip() or f"squawk's answer is not its JSON ({error!r})"
        raise Failure(DOING, cause, "Run `uv sync` in the checkout.") from error

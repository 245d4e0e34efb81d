"""squawk's rules about locks: statements that would keep readers or writers of a table waiting.

Its rules of taste, and what this room does itself (time limits, the gates in `safety`), are left out.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from ops.command import Command, run
from ops.database.journal import Migration
from ops.database.safety import Finding
from ops.errors import Failure

RULES = {
    "adding-field-with-default",
    "adding-foreign-key-constraint",
    "adding-serial-primary-key-field",
    "ban-concurrent-index-creation-in-transaction",
    "constraint-missing-not-valid",
    "disallowed-unique-constraint",
    "require-concurrent-index-creation",
    "require-concurrent-index-deletion",
    "syntax-error",
}


def lint(migrations: Sequence[Migration], folder: Path) -> tuple[Finding, ...]:
    """What squawk finds in files of the folder. Raises `Failure` when squawk cannot be run or speaks another language."""
    found: list[Finding] = []
    for transactional in (True, False):
        files = [migration.file for migration in migrations if migration.transactional is transactional]
        if files:
            found += _lint(files, folder, ("--assume-in-transaction",) if transactional else ())
    return tuple(sorted(found, key=lambda finding: (finding.file, finding.line)))


def _lint(files: Sequence[str], folder: Path, options: tuple[str, ...]) -> list[Finding]:
    from ops import tools

    doing = "checking the migrations with squawk"
    squawk = tools.find("squawk")
    # It exits 1 where it has found something, and so tells nothing that its document does not.
    done = run(Command((*squawk.argv, "--reporter", "json", *options, *files), doing, squawk.env, cwd=folder), check=False)
    try:
        entries = [entry for entry in json.loads(done.stdout) if entry["rule_name"] in RULES]
        return [Finding(e["file"], e["line"] + 1, f"{e['message'].rstrip('.')} ({e['rule_name']})", e["help"] or "") for e in entries]
    except (ValueError, KeyError, TypeError) as error:
        raise Failure(
            doing, done.stderr.strip() or f"squawk's answer is not its JSON ({error!r})", "Run `uv sync` in the checkout."
        ) from error

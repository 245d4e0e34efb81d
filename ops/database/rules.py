"""What a migration may do to a database that other versions are using, by effect: refused, warned of, or only shown.

docs/decisions/migration-gates.md has the same table with its reasons; a test compares the two.
"""

from dataclasses import dataclass
from typing import Literal

Level = Literal["refused", "warned", "shown"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One effect. `breaks`: a version from before the migration may fail beside it, so that no rollback crosses it.

    Which of the witnesses decide (`weigh`). `measured`: a run shows it for certain; the text alone accuses nobody, unless it stands in a
    body, which may not have been reached. `unsure`: the text does not tell what is harmless (a wider varchar, a validated check).
    `squawk`: what squawk says counts; it does not know what a file has made itself, so for some rules it does not.
    """

    level: Level
    what: str
    advice: str
    breaks: bool = False
    waivable: bool = True
    measured: bool = False
    unsure: bool = False
    squawk: bool = True


EXPAND = "Add the new beside the old, move the readers over, and take the old away in a later release."
BATCH = "Move rows in a batch script with a cursor, not in a migration."
WRITE_OUT = "No gate can read it: write the statements out."
RIGHTS = "Running versions may need what is taken away: change rights in a release after the one that stopped using them."
SCAN = "Add the constraint NOT VALID, and validate it in a later file."

RULES: dict[str, Rule] = {
    # What is taken away
    "drop-table": Rule("refused", "drops a table", EXPAND, breaks=True, measured=True),
    "drop-column": Rule("refused", "drops a column", EXPAND, breaks=True, measured=True),
    "drop-attribute": Rule("refused", "drops an attribute of a type", EXPAND, breaks=True),
    "drop-view": Rule("refused", "drops a view", EXPAND, breaks=True, measured=True),
    "drop-type": Rule("refused", "drops a type", EXPAND, breaks=True, measured=True),
    "drop-schema": Rule("refused", "drops a schema", EXPAND, breaks=True, measured=True),
    "drop-sequence": Rule("refused", "drops a sequence", EXPAND, breaks=True, measured=True),
    "drop-function": Rule("refused", "drops a function", EXPAND, breaks=True, squawk=False),
    "drop-extension": Rule("refused", "drops an extension", EXPAND, breaks=True, measured=True),
    "drop-trigger": Rule("refused", "drops a trigger or rule", EXPAND, breaks=True, measured=True),
    "drop-policy": Rule("refused", "drops a row security policy", EXPAND, breaks=True, measured=True),
    "drop-default": Rule(
        "refused",
        "drops a default, identity or generation expression",
        "Running versions leave the column out: first write it.",
        breaks=True,
        squawk=False,
    ),
    "drop-unique": Rule(
        "refused", "drops a primary key or unique constraint", "Running versions may rely on it (ON CONFLICT, foreign keys).", breaks=True
    ),
    "drop-other": Rule("refused", "drops what running versions may use", EXPAND, breaks=True, measured=True),
    "drop-role": Rule("refused", "drops a role", RIGHTS, breaks=True),
    "drop-constraint": Rule("warned", "drops a check or foreign key", "Nothing keeps wrong rows out any more.", measured=True),
    "drop-not-null": Rule("warned", "lets a column be NULL", "Running versions may read a NULL that they do not expect.", measured=True),
    "drop-index": Rule("warned", "drops an index", "Queries that use it become slow.", measured=True),
    "detach-partition": Rule("refused", "takes a partition or child table away", EXPAND, breaks=True, measured=True),
    # What is changed
    "rename": Rule("refused", "renames or moves what running versions use", EXPAND, breaks=True, measured=True),
    "rename-type": Rule("refused", "renames or moves a type, value, schema or function", EXPAND, breaks=True, squawk=False),
    "change-attribute": Rule("refused", "changes an attribute of a type", EXPAND, breaks=True),
    "change-type": Rule("refused", "changes a column's type", EXPAND, breaks=True, measured=True, unsure=True),
    "set-not-null": Rule(
        "refused",
        "forbids NULL in a column",
        "Running versions may still write NULL. Add CHECK (column IS NOT NULL) NOT VALID, validate it, then SET NOT NULL.",
        breaks=True,
        measured=True,
        unsure=True,
    ),
    "add-required-column": Rule(
        "refused",
        "adds a NOT NULL column without a default",
        "Rows of before, and running versions, have no value for it: give it a default, or let it be NULL first.",
        breaks=True,
        measured=True,
    ),
    "identity-always": Rule(
        "refused", "refuses explicit values in a column", "Running versions may write them.", breaks=True, measured=True
    ),
    "alter-domain": Rule("refused", "changes a domain", "It is checked in every column that has it: make a new domain.", breaks=True),
    "row-security": Rule(
        "refused", "switches row security on or off", "Rows vanish, or everybody sees them, from one moment on.", breaks=True, measured=True
    ),
    "alter-policy": Rule("refused", "changes a row security policy", "Make a new policy beside the old.", breaks=True),
    "disable-trigger": Rule(
        "refused", "switches a trigger or rule on or off", "What it keeps right is no longer kept.", breaks=True, measured=True
    ),
    "revoke": Rule("refused", "takes rights away", RIGHTS, breaks=True, squawk=False),
    "owner": Rule("refused", "gives an object to another owner", RIGHTS, breaks=True),
    "alter-role": Rule("refused", "changes a role", "Roles are the server's, and other programs': change them by hand, where it is seen."),
    "alter-server": Rule("refused", "changes the server or the database itself", "It outlives the migration and concerns others."),
    "create-rule": Rule("refused", "rewrites other statements with a rule", "Use a trigger, or do it in the program.", breaks=True),
    "create-trigger": Rule("warned", "adds a trigger to a table in use", "Writes of running versions will run it.", measured=True),
    "create-policy": Rule("warned", "adds a row security policy to a table in use", "Running versions may see fewer rows.", squawk=False),
    "replace": Rule("warned", "replaces a function or view in use", "Running versions will run the new one.", measured=True),
    "alter-extension": Rule("warned", "changes an extension", "Its functions may behave in another way."),
    "alter-sequence": Rule("warned", "changes a sequence", "Running versions get other numbers from it.", squawk=False),
    # What rows it moves
    "moves-rows": Rule("refused", "moves rows", BATCH),
    "truncate": Rule("refused", "empties a table", BATCH, breaks=True, measured=True),
    "dynamic-sql": Rule("refused", "runs SQL that is put together as it runs", WRITE_OUT),
    # Whom it keeps waiting
    "rewrite-table": Rule(
        "refused",
        "rewrites a whole table, which nobody can read meanwhile",
        "Add a column beside it, and fill that in batches.",
        measured=True,
    ),
    "scan-table": Rule("refused", "reads a whole table under a lock", SCAN, measured=True),
    "build-index": Rule(
        "refused",
        "builds an index while writes wait",
        "CREATE INDEX CONCURRENTLY; for a constraint, ADD CONSTRAINT … USING INDEX afterwards.",
        measured=True,
    ),
    "validate-under-lock": Rule(
        "warned", "reads a whole table while an earlier statement of the file holds a lock", "Validate in a file of its own."
    ),
    "drop-index-lock": Rule("refused", "drops an index while readers wait", "DROP INDEX CONCURRENTLY.", measured=True),
    "vacuum-full": Rule("refused", "rewrites a table with VACUUM FULL", "Plain VACUUM, or a tool that works beside readers."),
    "cluster": Rule("refused", "rewrites a table with CLUSTER", "A tool that works beside readers."),
    "reindex": Rule("refused", "rebuilds an index while writes wait", "REINDEX … CONCURRENTLY.", squawk=False),
    "refresh-view": Rule("refused", "fills a materialized view while readers wait", "REFRESH MATERIALIZED VIEW CONCURRENTLY."),
    "lock-table": Rule("refused", "locks a table by hand", "Each statement takes the lock that it needs."),
    "time-limit": Rule("refused", "changes a time limit", "The runner sets them, so that nobody waits longer than 3 s for a table."),
    "setting": Rule("refused", "changes a setting that the checks depend on", "Leave it out."),
    "locks": Rule("shown", "locks", "Readers and writers of it wait as long as the file's transaction lasts."),
    "squawk": Rule("refused", "breaks a rule of squawk", "See squawk's documentation of the rule.", squawk=False),
    # What nothing allows
    "transaction-control": Rule(
        "refused",
        "controls transactions",
        "The runner opens and ends them; -- nextai:no-transaction runs a file without one.",
        waivable=False,
        squawk=False,
    ),
    "waiver-form": Rule(
        "refused",
        "has a comment that looks like a waiver and is none",
        "The form is `-- nextai:contract RULE: REASON`, in lines of their own right before the statement; the reason is two words or more.",
        waivable=False,
    ),
    "waiver-unused": Rule("warned", "waives what the statement does not do", "Remove the comment, or name the rule that was found."),
    "untried": Rule(
        "warned",
        "could not be tried on the scratch database",
        "Only its text was judged. Where the environment is protected, it is refused.",
    ),
    "unmeasured": Rule("warned", "may rewrite or read a whole table", "Only a run on a scratch database tells."),
    "fails": Rule(
        "warned", "fails on a scratch database that the files before have made", "Correct it. In a protected environment it is refused."
    ),
}

"""What statements say of the server's settings: time limits, which are the runner's, and those that change what a statement means."""

from collections.abc import Iterator, Sequence

from ops.database.reading.world import World
from ops.database.words import Word

LIMITS = {
    "lock_timeout",
    "statement_timeout",
    "idle_in_transaction_session_timeout",
    "idle_session_timeout",
    "transaction_timeout",
    "deadlock_timeout",
}
SETTINGS = {
    "role",
    "session_authorization",
    "session_replication_role",
    "row_security",
    "event_triggers",
    "standard_conforming_strings",
    "backslash_quote",
    "escape_string_warning",
    "client_encoding",
    "track_functions",
    "zero_damaged_pages",
    "ignore_system_indexes",
    "default_transaction_read_only",
}


def of_setting(setting: str) -> str:
    """The rule that a change of this setting is about; empty for one that anybody may change."""
    return "time-limit" if setting in LIMITS else "setting" if setting in SETTINGS else ""


def set_(found: Sequence[Word], _: World) -> Iterator[str]:
    """SET, RESET and DISCARD change settings, of the session or of the transaction."""
    at = 1
    while at < len(found) and found[at].key in ("SESSION", "LOCAL"):
        at += 1
    if at >= len(found):
        return
    setting = found[at].value.lower()
    if found[at].key == "AUTHORIZATION":
        setting = "session_authorization"
    if found[at].key == "NAMES":
        setting = "client_encoding"
    if found[at].key == "TRANSACTION" or found[at].key == "CHARACTERISTICS":
        yield "transaction-control"
    elif found[0].key in ("RESET", "DISCARD") and found[at].key == "ALL":
        yield "time-limit"
    elif rule := of_setting(setting):
        yield rule

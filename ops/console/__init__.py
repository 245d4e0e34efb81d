"""What a person sees: lines, tables, progress and questions on stderr or stdout; and one JSON document for machines."""

from ops.console.ask import confirm
from ops.console.output import Progress, counted, emit_json, emit_line, error, has_reader, machine_readable, say, table, use_json

__all__ = [
    "Progress",
    "confirm",
    "counted",
    "emit_json",
    "emit_line",
    "error",
    "has_reader",
    "machine_readable",
    "say",
    "table",
    "use_json",
]

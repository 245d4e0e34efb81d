"""`.env.example`: every variable of the catalogue with its value on this machine, to be copied to `.env.local`."""

from collections.abc import Iterator
from pathlib import Path

from ops.catalog import Catalog, Variable
from ops.config.local import OVERRIDES, Setting, derived, generated, on_this_machine
from ops.secret import Secret

FILE = Path(".env.example")
_EACH_ITS_OWN = ("HOST", "PORT")  # a value for all services would be wrong for all but one
_HEAD = f"""\
# Written by `invoke sync` from platform.yaml: change that.
# Nothing here is needed: `invoke up` derives every value. To set one yourself, copy this file to {OVERRIDES} and change its line.
# A line that begins with # is derived from the rest, or made once for this machine: take the # away to set it.
# An address that is set counts on both engines; in a container of Compose, 127.0.0.1 is that container itself.
"""


def text(catalog: Catalog) -> str:
    """The file. What is copied without a change gives every service the values that it has without the file."""
    made = dict.fromkeys(generated(catalog), Secret("PASSWORD"))
    known = {name: value.reveal() for name, value in derived(catalog, Setting(on_this_machine(catalog), made, {}, "")).items()}
    rows = [variable for variable in catalog.variables.values() if variable.name not in _EACH_ITS_OWN]
    read = [variable for variable in rows if variable.readers]
    later = [variable for variable in rows if not variable.readers]
    return "\n".join([_HEAD, *_lines(read, known, made), "# Nobody reads these yet.\n", *_lines(later, known, made)])


def _lines(variables: list[Variable], known: dict[str, str], made: dict[str, Secret]) -> Iterator[str]:
    for variable in variables:
        static = variable.local if variable.local is not None and "{" not in variable.local else None
        fixed = static if static is not None else variable.default if variable.name not in known else None
        value = fixed or known.get(variable.name) or ""
        choice = f": {', '.join(variable.values)}" if variable.values else ""
        note = "; made once for this machine" if variable.name in made else ""
        yield f"# {variable.description}{choice}{note}"
        yield f"{'' if fixed else '#'}{variable.name}={value}\n"

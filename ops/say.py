"""How a story tells a person what is being done: one line at a time."""

from collections.abc import Callable

Say = Callable[[str], None]

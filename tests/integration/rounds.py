"""How often a trial with chance in it is made: once in `nox -s ci`, as often as FAULT_ROUNDS says at night."""

import os

ROUNDS = range(1, 1 + int(os.environ.get("FAULT_ROUNDS") or 1))

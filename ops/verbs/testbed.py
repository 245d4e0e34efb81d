"""`testbed.up`, `testbed.down`, `testbed.env`."""

import shlex
from dataclasses import asdict

from ops import testbed
from ops.console import emit_json, machine_readable, say
from ops.testbed.choice import named
from ops.verbs.target import running_testbed


def up(provider: str) -> int:
    """Start it, and say how to use it. `provider` names the one to use; empty: the first that can run here."""
    found = testbed.up(provider=named(provider), say=say)
    say(f"The testbed runs: provider {found.provider}, registry {found.registry}, context {found.context}.", style="bold green")
    say('Next: `invoke deploy --env staging --testbed`; or `eval "$(invoke testbed.env)"` for docker and kubectl.')
    if machine_readable():
        emit_json({"testbed": asdict(found)})
    return 0


def down(*, wipe: bool) -> int:
    """Stop it; nothing running is success."""
    testbed.down(wipe=wipe, say=say)
    say("The testbed is stopped.")
    if machine_readable():
        emit_json({"running": False})
    return 0


def env() -> int:
    """Shell lines for `eval`."""
    found = running_testbed(True)
    assert found is not None
    variables = testbed.environment(found)
    if machine_readable():
        emit_json({"environment": dict(variables)})
        return 0
    for name, value in variables.items():
        say(f"export {name}={shlex.quote(value)}")
    return 0

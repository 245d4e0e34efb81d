"""The command line of the verbs: run as a program, and what each verb takes."""

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

from invoke.parser.argument import Argument

ROOT = Path(__file__).resolve().parents[2]


def invoke(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("NEXTAI_", "XDG_", "KUBECONFIG"))}
    argv = (sys.executable, "-m", "invoke", *words)
    return subprocess.run(argv, check=False, cwd=ROOT, env={**plain, **variables}, capture_output=True, text=True, stdin=subprocess.DEVNULL)


@cache
def arguments() -> dict[str, list[Argument]]:
    """Those of each verb. Asked for once: Invoke takes the help out of a task as it hands it to its arguments."""
    import tasks

    return {name: tasks.namespace[name].get_arguments() for name in tasks.namespace.task_names}

"""What GitHub Actions runs: `python -m ops.checks.matrix TAG` prints the sessions of a tag, each with the Python that it is run on.

The quick ones, which are run at each push, are run on the oldest and the newest Python; the others on one between.
"""

import json
import subprocess
import sys

from ops.checks.pythons import NEWEST, OLDEST

ENDS = (f"3.{OLDEST}", f"3.{NEWEST}")
BETWEEN = ("3.13",)


def matrix(tag: str) -> list[dict[str, str]]:
    """Every session that has the tag, once for each of its Pythons."""
    argv = (sys.executable, "-m", "nox", "--list", "--json", "--tags", tag)
    sessions = json.loads(subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True).stdout)
    return [
        {"session": entry["session"], "python": python} for entry in sessions for python in (ENDS if "quick" in entry["tags"] else BETWEEN)
    ]


if __name__ == "__main__":
    print(json.dumps(matrix(sys.argv[1])))

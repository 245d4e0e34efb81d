"""The question before a change."""

import sys

from ops.console.output import say, stream
from ops.errors import Refused


def confirm(question: str, *, yes: bool, expect: str = "") -> None:
    """Ask a person whether to go on, unless `yes`. `expect` is a word that must be typed instead of y.

    Raises `Refused` when the answer is no, and when there is no terminal to ask on.
    """
    if yes:
        return
    if not (sys.stdin.isatty() and stream().isatty()):
        raise Refused("asking before a change", f"there is no terminal to ask on: {question}", "Look at what is planned, then add --yes.")
    wanted = expect or "y"
    # Not by `input` itself: it writes to standard output, which with --json belongs to the one document.
    stream().write(f"{question} [{'type ' + expect if expect else 'y/N'}] ")
    stream().flush()
    try:
        answer = input().strip()
    except EOFError:
        answer = ""
    if (answer if expect else answer.lower()) not in ({wanted} if expect else {"y", "yes"}):
        say("Nothing was changed.")
        raise Refused("asking before a change", "the answer was no", "Run it again when you want the change.")

"""Ctrl-C while a verb's modules are imported: one word, exit code 130, and no traceback.

Python shows a traceback of whatever it was importing, and Invoke itself is imported before a line of ours runs. So the virtual
environment gets a file that Python reads at each start (docs.python.org/3/library/site.html): where the program is Invoke, Ctrl-C ends
it at once. The first few milliseconds, in which Python makes itself ready, stay as they are.

That file stays when this code is gone: after a checkout of an older commit, or where Invoke runs another project's tasks. Nobody
takes the handler back there, so it raises KeyboardInterrupt as Python does, once a `tasks` without this module beside it is imported.
"""

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from types import FrameType

from ops.errors import Exit

WORD = "interrupted"
FILE = "nextai_ctrl_c.pth"
# One line of Python, without an import that costs anything: each program of the environment runs it.
LINE = (
    "import os, sys, _signal; "
    f'_signal.getsignal({signal.SIGINT:d}) is _signal.default_int_handler and (os.path.basename("".join(sys.orig_argv[1:2])) == "invoke" '
    'or sys.orig_argv[1:3] == ["-m", "invoke"]) '
    'and not any(word.startswith(("-c", "--collection")) for word in sys.orig_argv[2:]) '  # tasks under another name
    # What it uses is bound here: the names are those of Python's `site`.
    f"and _signal.signal({signal.SIGINT:d}, lambda number, frame, os=os, sys=sys, default=_signal.default_int_handler: "
    'default(number, frame) if "tasks" in sys.modules and not os.path.exists(os.path.join('
    'os.path.dirname(getattr(sys.modules["tasks"], "__file__", None) or "/"), "ops", "ctrl_c.py")) '
    f"else (os.write(2, b'\\n{WORD}\\n'), os._exit({Exit.INTERRUPTED:d})))\n"
)


def end_at_once() -> None:
    """Have Ctrl-C end this process at once, until `as_usual`; the environment's later starts do so from their beginning.

    Another program than Invoke that imports the verbs, such as a test, keeps its own handler.
    """
    program = Path(sys.argv[0])
    if program.stem != "invoke" and program.parts[-2:] != ("invoke", "__main__.py"):
        return
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # as a shell has it that put this into the background
        signal.signal(signal.SIGINT, _leave)
    if sys.prefix != sys.base_prefix:  # else the system's Python: not ours to write to
        with suppress(OSError):
            _keep()


def as_usual() -> None:
    """Have Ctrl-C raise KeyboardInterrupt again: from now on there is something to tidy up."""
    if signal.getsignal(signal.SIGINT) is _leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _leave(_number: int, _frame: FrameType | None) -> None:
    with suppress(OSError):
        os.write(2, f"\n{WORD}\n".encode())
    os._exit(Exit.INTERRUPTED)


def _keep() -> None:
    """Write the environment's file, whole or not at all, where it is not there as it should be."""
    import invoke

    folder = Path(invoke.__file__).parents[1]
    if not folder.is_relative_to(sys.prefix):
        return
    file = folder / FILE
    if file.exists() and file.read_text(encoding="utf-8") == LINE:
        return
    draft = file.with_name(f"{FILE}.{os.getpid()}")  # not read by Python: it ends otherwise
    try:
        draft.write_text(LINE, encoding="utf-8")
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)

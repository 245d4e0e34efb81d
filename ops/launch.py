"""Start a program so that it ends with its parent, and as another user where a server refuses to run as root.

Run as a script, before the program itself: `python launch.py PARENT SIGNAL USER PROGRAM ARGUMENT…`; USER may be empty.
Linux only has both; elsewhere the program is started as it is. It imports nothing of this project: it starts in 15 ms.
"""

import contextlib
import ctypes
import os
import pwd
import signal as signals
import sys
from pathlib import Path

NOBODY = "nobody"  # whom a server is run as that refuses to run as root
# <linux/prctl.h>, <linux/securebits.h>, <linux/capability.h>
PR_SET_PDEATHSIG, PR_SET_KEEPCAPS, PR_SET_SECUREBITS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 1, 8, 28, 47, 2
SECBIT_NO_SETUID_FIXUP = 1 << 2
CAP_DAC_OVERRIDE = 1
CAPABILITY_VERSION_3 = 0x20080522


def command(signal: int, user: str = "") -> tuple[str, ...]:
    """What stands before a program's own arguments: it gets `signal` when this process ends, and runs as `user` where this one is root."""
    return (sys.executable, "-I", "-S", str(Path(__file__).resolve()), str(os.getpid()), str(int(signal)), user)


def unprivileged() -> str:
    """Whom a server is run as that refuses to run as root: the empty string where this process is not root."""
    return NOBODY if os.geteuid() == 0 else ""


def main(parent: int, signal: int, user: str, argv: list[str]) -> None:
    """Replace this process by the program. Never returns."""
    # A shell that put `invoke up` into the background had Ctrl-C ignored, and a process inherits that: SIGINT is how some stores end well.
    for number in (signals.SIGINT, signals.SIGTERM, signals.SIGHUP, signals.SIGPIPE):
        signals.signal(number, signals.SIG_DFL)
    if user and os.geteuid() == 0:
        become(user)
    if sys.platform == "linux":
        # After the change of user, which clears it. The parent may have ended meanwhile: then nobody would send the signal.
        _prctl(PR_SET_PDEATHSIG, signal)
        if os.getppid() != parent:
            sys.exit(1)
    os.execvpe(argv[0], argv, os.environ)  # noqa: S606 (no shell is the point)


def become(user: str) -> None:
    """Change to another user, keeping the one power to read and write any file.

    PostgreSQL refuses to run as root, but root's home, where the program and the data lie, is closed to anyone else.
    """
    account = pwd.getpwnam(user)
    if sys.platform == "linux":
        _prctl(PR_SET_KEEPCAPS, 1)
        # access(2), by which initdb looks for its own programs, forgets the power of another user unless this bit is set.
        # It takes CAP_SETPCAP; without it what lies where everybody may look is still found.
        with contextlib.suppress(PermissionError):
            _prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP)
    os.setgroups([])
    os.setgid(account.pw_gid)
    os.setuid(account.pw_uid)
    if sys.platform == "linux":
        _keep(CAP_DAC_OVERRIDE)
        _prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE)


def _keep(capability: int) -> None:
    # capset(2): a header, then effective, permitted, inheritable for the low and the high 32 capabilities.
    mask = 1 << capability
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    data = (ctypes.c_uint32 * 6)(mask, mask, mask, 0, 0, 0)
    _check(_libc.capset(ctypes.byref(header), ctypes.byref(data)))


def _prctl(option: int, *values: int) -> None:
    _check(_libc.prctl(option, *(ctypes.c_ulong(value) for value in (*values, 0, 0, 0, 0)[:4])))


def _check(result: int) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


_libc = ctypes.CDLL(None, use_errno=True)

if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:])

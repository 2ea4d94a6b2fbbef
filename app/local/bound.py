"""Become a command that ends when its parent does: `python -I -S bound.py <parent> <signal> <command...>`.

A parent that is killed with -9 cannot stop its children; on Linux the kernel does it (PR_SET_PDEATHSIG).
Elsewhere the next run finds them in the register of children and stops them.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Bind this process to its parent, then become the command."""
    parent, number, command = int(arguments[0]), int(arguments[1]), arguments[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)
        if os.getppid() != parent:
            sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606 - becoming the command is the purpose


if __name__ == "__main__":
    main(sys.argv[1:])

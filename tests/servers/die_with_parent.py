"""`python die_with_parent.py PARENT PROGRAM ARGUMENT...` becomes PROGRAM, which the kernel ends when the process with
the id PARENT, who started us, has ended.

Of use only on Linux; elsewhere the program is merely started.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # sys/prctl.h


def main(parent: int, command: list[str]) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            sys.exit("the parent ended first")
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])

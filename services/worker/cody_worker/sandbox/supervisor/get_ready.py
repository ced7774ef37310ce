"""What a supervisor does before it starts anything."""

import contextlib
import ctypes
import os
import signal
import socket
import sys
from collections.abc import Generator

_PR_SET_CHILD_SUBREAPER = 36
_LINUX = sys.platform == "linux"


def come_first() -> None:
    """Before a thousand busy processes, which would otherwise keep us from ending them. Only root may."""
    if _LINUX:
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(1))


def adopt_orphans() -> None:
    """Whoever loses a parent below us becomes our child."""
    if _LINUX:
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)


@contextlib.contextmanager
def woken_by_children() -> Generator[socket.socket]:
    """It can be read when a child has ended."""
    wake, waker = socket.socketpair()
    waker.settimeout(0)
    with wake, waker:
        signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        yield wake
        signal.set_wakeup_fd(-1)

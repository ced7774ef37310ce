"""The forked child's part: put on the limits that the kernel keeps, and turn into the command."""

import contextlib
import ctypes
import os
import resource
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from cody_worker.sandbox.supervisor.order import STATUS_FD, Limits, Order

_NICE = 10
_PR_SET_PDEATHSIG = 1
_LINUX = sys.platform == "linux"


def become_command(order: Order, status: int, groups: Sequence[Path]) -> NoReturn:
    """`status` becomes `STATUS_FD`, for bubblewrap; `groups` are the control groups to join."""
    try:
        for group in groups:
            (group / "cgroup.procs").write_text("0")
        _leave_the_supervisor(status if order["sandboxed"] else None)
        _limit_what_the_kernel_can(order["limits"])
        os.umask(0o022)
        os.chdir(order["folder"])
        os.execvpe(order["argv"][0], order["argv"], order["environment"])  # noqa: S606 (that is what it is for)
    except OSError as error:
        os.write(1, f"{order['argv'][0]}: {error.strerror}\n".encode())
    finally:
        os._exit(127)


def _leave_the_supervisor(status: int | None) -> None:
    """Its session, its standard input and its ways with signals; but not its life."""
    os.setsid()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(1, 2)
    if status is not None:
        os.dup2(status, STATUS_FD)
    for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.set_wakeup_fd(-1)
    if _LINUX:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _limit_what_the_kernel_can(limits: Limits) -> None:
    """Memory by RLIMIT_DATA and not by RLIMIT_AS: JVMs, Node and Go reserve far more address space than they use."""
    cpu = int(limits["cpu_seconds"]) + 1
    for kind, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, cpu),
        (resource.RLIMIT_DATA, limits["memory_bytes"]),
        (resource.RLIMIT_FSIZE, limits["file_bytes"]),
        (resource.RLIMIT_NOFILE, limits["open_files"]),
    ):
        _, hard = resource.getrlimit(kind)
        least = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (least, least))
    os.nice(_NICE)
    if _LINUX:
        with contextlib.suppress(OSError):  # the kernel is to take these before the worker
            Path("/proc/self/oom_score_adj").write_text("1000")

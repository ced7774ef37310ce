"""Run PostgreSQL's programs as somebody whom they accept (they refuse root), tied to the life of the supervisor.

Root's way is a user namespace: the program believes that it is user 1000, while its files stay root's, so that nothing
has to change hands. It is entered between fork and exec, through ctypes: Python has `os.unshare` from 3.12 on only.
"""

import ctypes
import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec import Struct

from cody_backends.postgres.embedded.layout import Isolation

_CLONE_NEWUSER = 0x10000000  # sched.h
_PR_SET_PDEATHSIG = 1  # sys/prctl.h
_ID_INSIDE = 1000
_UNPRIVILEGED = "nobody"


class Account(Struct, frozen=True, kw_only=True):
    """Whom the files of the server belong to, seen from outside."""

    uid: int
    gid: int


def account_of(isolation: Isolation) -> Account:
    if isolation is Isolation.UNPRIVILEGED_USER:
        entry = pwd.getpwnam(_UNPRIVILEGED)
        return Account(uid=entry.pw_uid, gid=entry.pw_gid)
    return Account(uid=os.geteuid(), gid=os.getegid())


def works(isolation: Isolation, programs: Sequence[Path], *, reach: Path) -> bool:
    """Whether the programs run so, and can enter the folder that their files are to be in."""
    enter = entering(isolation)

    def enter_and_reach() -> None:
        enter()
        (reach / ".").stat()

    try:
        for program in programs:
            subprocess.run([program, "--version"], preexec_fn=enter_and_reach, capture_output=True, check=True)
    except (OSError, subprocess.SubprocessError):
        return False
    return True


def entering(isolation: Isolation, *, parent: int | None = None) -> Callable[[], None]:
    """What a child does between fork and exec. Call it and fork from the main thread of a process without others: on
    Linux the child gets SIGINT (PostgreSQL's fast shutdown) when that thread ends, and one that has threads already
    (some libraries start theirs again in each fork) cannot enter a user namespace. `parent`: not this process."""
    libc = ctypes.CDLL(None, use_errno=True)
    account = account_of(isolation)
    parent = os.getpid() if parent is None else parent

    def enter() -> None:
        if isolation is Isolation.USER_NAMESPACE:
            _enter_user_namespace(libc, account)
        elif isolation is Isolation.UNPRIVILEGED_USER:
            os.setgroups([])
            os.setgid(account.gid)
            os.setuid(account.uid)
        _die_with(libc, parent)

    return enter


def _enter_user_namespace(libc: ctypes.CDLL, account: Account) -> None:
    if libc.unshare(_CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{_ID_INSIDE} {account.uid} 1"),
        ("gid_map", f"{_ID_INSIDE} {account.gid} 1"),
    ):
        Path("/proc/self", name).write_text(text, encoding="ascii")


def _die_with(libc: ctypes.CDLL, parent: int) -> None:
    """After the change of credentials, which forgets it. Other systems than Linux have no such thing: there the next
    supervisor stops a server that was left behind."""
    if sys.platform != "linux":
        return
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
    if os.getppid() != parent:
        os._exit(1)

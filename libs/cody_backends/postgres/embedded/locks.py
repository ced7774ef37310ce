"""Locks on files. The kernel gives them back when their holder is gone, however it went.

A lock belongs to the open file: children of a fork share it, and it lasts until the last of them has closed the file.
Files are closed on exec.
"""

import fcntl
import os
from pathlib import Path


def open_lock(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def try_shared(lock: int) -> bool:
    return _try(lock, fcntl.LOCK_SH)


def try_exclusive(lock: int) -> bool:
    return _try(lock, fcntl.LOCK_EX)


def release(lock: int) -> None:
    """For whoever shares the open file, too."""
    fcntl.flock(lock, fcntl.LOCK_UN)


def is_held(path: Path) -> bool:
    """Whether somebody holds the lock exclusively."""
    lock = open_lock(path)
    try:
        return not try_shared(lock)
    finally:
        os.close(lock)


def is_in_place(lock: int, path: Path) -> bool:
    """Whether the path still leads to this file: the folder may have been removed, or made anew."""
    try:
        return os.path.samestat(os.fstat(lock), path.stat())
    except OSError:
        return False


def _try(lock: int, kind: int) -> bool:
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

"""Whose a compute id is. Every ProcessCompute knows its own children alone; a locked file tells the others whether it,
or any of its children, is still alive, so that they do not take its work for lost."""

import fcntl
import os
import re
import secrets
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

_COMPUTE_ID = re.compile(r"processes-([0-9a-f]{12})-\d+")


class Owner(Struct, frozen=True, kw_only=True):
    """`lock` is to be inherited by all children: the kernel gives the lock up when the last holder has ended."""

    name: str
    lock: int

    def compute_id(self, number: int) -> str:
        return f"processes-{self.name}-{number}"

    def made(self, compute_id: str) -> bool:
        match = _COMPUTE_ID.fullmatch(compute_id)
        return match is not None and match[1] == self.name


@contextmanager
def own_compute(folder: Path) -> Generator[Owner]:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    name = secrets.token_hex(6)
    path = _lock_file(folder, name)
    lock = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield Owner(name=name, lock=lock)
        path.unlink(missing_ok=True)
    finally:
        os.close(lock)


def owner_lives(folder: Path, compute_id: str) -> bool:
    """Whether the owner of that compute id, or a child of it, still runs on this machine."""
    match = _COMPUTE_ID.fullmatch(compute_id)
    if match is None:
        return False
    path = _lock_file(folder, match[1])
    try:
        lock = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        path.unlink(missing_ok=True)
        return False
    finally:
        os.close(lock)


def _lock_file(folder: Path, name: str) -> Path:
    return folder / f"{name}.lock"

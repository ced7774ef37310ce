"""Processes as /proc shows them."""

import contextlib
import os
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple


class Process(NamedTuple):
    pid: int
    parent: int
    is_zombie: bool
    threads: int
    ticks: int
    pages: int


def children_of(pid: int) -> list[int]:
    """Zombies among them."""
    return [process.pid for process in _processes() if process.parent == pid]


def descendants_of(pid: int) -> list[Process]:
    below: defaultdict[int, list[Process]] = defaultdict(list)
    for process in _processes():
        below[process.parent].append(process)
    found: list[Process] = []
    stack = [pid]
    while stack:
        children = below[stack.pop()]
        found += children
        stack += [child.pid for child in children]
    return found


def reap_orphans(processes: Sequence[Process], *, but: int) -> list[Process]:
    """Those that live."""
    for process in processes:
        if process.is_zombie and process.parent == os.getpid() and process.pid != but:
            os.waitpid(process.pid, os.WNOHANG)
    return [process for process in processes if not process.is_zombie]


def _processes() -> Iterator[Process]:
    if sys.platform != "linux":
        return
    for name in os.listdir("/proc"):  # noqa: PTH208 (names alone, and quickly)
        if name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                yield _process(int(name), Path(f"/proc/{name}/stat").read_bytes())


def _process(pid: int, stat: bytes) -> Process:
    """Fields as in proc(5), which counts the first one after the name as number 3."""
    fields = stat[stat.rindex(b")") + 2 :].split()
    ticks = sum(int(field) for field in fields[11:15])
    return Process(pid, int(fields[1]), fields[0] in {b"Z", b"X"}, int(fields[17]), ticks, max(0, int(fields[21])))

"""What processes use of this machine."""

import contextlib
import os
import resource
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from cody_worker.sandbox.supervisor.processes import Process


class Usage(NamedTuple):
    threads: int
    cpu_seconds: float
    memory_bytes: int


def usage_of(processes: Sequence[Process], much_memory: int) -> Usage:
    """Resident memory counts shared pages for each process; it is looked at closely where that would be too much."""
    memory = sum(process.pages for process in processes) * resource.getpagesize()
    if memory > much_memory:
        memory = sum(_proportional_bytes(process) for process in processes)
    ticks = sum(process.ticks for process in processes)
    return Usage(sum(process.threads for process in processes), ticks / os.sysconf("SC_CLK_TCK"), memory)


def free_bytes(folder: str) -> int:
    with contextlib.suppress(OSError):
        facts = os.statvfs(folder)
        return facts.f_bavail * facts.f_frsize
    return sys.maxsize


def _proportional_bytes(process: Process) -> int:
    try:
        text = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
        return 1024 * int(text.split("\nPss:", 1)[1].split(None, 1)[0])
    except (OSError, IndexError, ValueError):
        return process.pages * resource.getpagesize()

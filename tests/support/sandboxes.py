"""A sandbox for tests, where this machine can have one, and the processes that are left of a command."""

import os
from pathlib import Path

import psutil
import pytest

from cody_worker.sandbox.bubblewrap import Sandbox
from cody_worker.sandbox.command import CommandLimits
from cody_worker.sandbox.find_sandbox import NoSandbox, find_sandbox
from cody_worker.sandbox.work_folder import WorkFolder

LIMITS = CommandLimits(seconds=60, cpu_seconds=60, memory_mb=512, processes=100)


async def sandbox_or_skip(scratch: Path) -> Sandbox:
    found = await find_sandbox(path=os.environ["PATH"], scratch=str(scratch))
    if isinstance(found, NoSandbox):
        pytest.skip(f"no sandbox on this machine: {found.reason}")
    return found


def make_work_folder(root: Path) -> WorkFolder:
    root.mkdir()
    return WorkFolder.make(root)


def processes_with(mark: str) -> list[int]:
    """Processes of the machine whose command line has this mark, zombies aside."""
    return [process.pid for process in psutil.process_iter() if mark in _command_line(process)]


def _command_line(process: psutil.Process) -> str:
    try:
        return "" if process.status() == psutil.STATUS_ZOMBIE else " ".join(process.cmdline())
    except psutil.Error:
        return ""

"""One command, what it may cost, and what came of it."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Protocol

from msgspec import Struct

from cody_worker.sandbox.work_folder import WorkFolder

MEBIBYTE = 1 << 20


class CommandLimits(Struct, frozen=True, kw_only=True):
    """Of one command with all that it starts: seconds by the clock and of all CPUs, memory, processes and threads.
    `file_bytes` holds for each file, `open_files` for each process. `output_bytes` are kept, from both ends; who writes
    more than `most_output_bytes` is ended, and so is who leaves less than `free_disk_bytes` on the disk."""

    seconds: float = 600
    cpu_seconds: float = 3_600
    memory_mb: int = 4_096
    processes: int = 1_024
    file_bytes: int = 1_024 * MEBIBYTE
    open_files: int = 4_096
    output_bytes: int = MEBIBYTE
    most_output_bytes: int = 64 * MEBIBYTE
    free_disk_bytes: int = 64 * MEBIBYTE


class EndReason(StrEnum):
    """How a command ended. Users see these: never rename one."""

    EXITED = "exited"
    NOT_FOUND = "not_found"
    TIME_LIMIT = "time_limit"
    CPU_LIMIT = "cpu_limit"
    MEMORY_LIMIT = "memory_limit"
    PROCESS_LIMIT = "process_limit"
    FILE_SIZE_LIMIT = "file_size_limit"
    OUTPUT_LIMIT = "output_limit"
    DISK_LIMIT = "disk_limit"
    KILLED = "killed"


class CommandResult(Struct, frozen=True, kw_only=True, rename="camel"):
    """`exit_code` is 128 + n for signal n, and None where a limit ended the command. `output` is standard output and
    error as they came, without secrets; `truncated` says that a part of it is missing."""

    argv: tuple[str, ...]
    exit_code: int | None
    seconds: float
    output: str
    truncated: bool
    reason: EndReason

    @property
    def succeeded(self) -> bool:
        return self.reason is EndReason.EXITED and self.exit_code == 0


class CommandRunner(Protocol):
    """Runs an argv list (no shell) in the tree of a work folder, with no variable but its own and `environment`.

    Nothing of the command runs on when `run` returns or is cancelled, nor after the worker's death. Raises
    `JobFailed(sandbox_missing)` when the command cannot be started as promised.
    """

    async def run(
        self,
        argv: Sequence[str],
        folder: WorkFolder,
        limits: CommandLimits,
        environment: Mapping[str, str] | None = None,
    ) -> CommandResult: ...

    def tree_in_output(self, folder: WorkFolder) -> str:
        """The work tree's path as commands see and print it."""
        ...

"""A work folder with a repository's files in it, for as long as commands need it."""

import asyncio
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from msgspec import Struct

from cody_jobs.errors import JobFailed
from cody_jobs.models import FailureCode
from cody_worker.git.repository_process import RepositoryProcess
from cody_worker.git.scratch_folder import ScratchFolder
from cody_worker.git.work_tree import WorkTree
from cody_worker.sandbox.work_folder import WorkFolder


class OpenedFolder(Struct, frozen=True, kw_only=True):
    folder: WorkFolder
    written: WorkTree


@asynccontextmanager
async def open_work_folder(
    target: RepositoryProcess, scratch: str | None, *, base: bool = False
) -> AsyncGenerator[OpenedFolder]:
    """With all that is staged, or as the base commit has it; removed when the block ends. Raises `JobFailed`
    (`disk_full`, `repository_too_large`)."""
    made = await _make(scratch)
    try:
        folder = await asyncio.to_thread(WorkFolder.make, made.path)
        yield OpenedFolder(folder=folder, written=await target.materialise(folder.tree, base=base))
    finally:
        await asyncio.to_thread(made.remove)


async def _make(scratch: str | None) -> ScratchFolder:
    try:
        return await asyncio.to_thread(ScratchFolder.make, Path(scratch or tempfile.gettempdir()))
    except OSError as error:
        raise JobFailed(FailureCode.DISK_FULL, f"no work folder can be made: {error}", retryable=True) from error

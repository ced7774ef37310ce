"""All candidate files of one repository: reuse what is known, ask about the rest, store each outcome at once."""

import asyncio
from collections.abc import Mapping

from cody_jobs.models import Job
from cody_jobs.plan import Plan
from cody_jobs.ports import ResultStore
from cody_runtime import names
from cody_runtime.tasks import task_group
from cody_runtime.telemetry import get_meter
from cody_worker.claude import Claude
from cody_worker.edit.conventions import read_conventions
from cody_worker.edit.questions import Group
from cody_worker.edit.repository_files import Holds, RepositoryFiles, Shared
from cody_worker.edit.tally import EditedFiles
from cody_worker.edit.warm_cache import WarmCache
from cody_worker.git.repository_process import RepositoryProcess
from cody_worker.git.rewrite_tree import REGULAR
from cody_worker.git.scope import Scope
from cody_worker.money import Budget
from cody_worker.worker_stopping import WorkerStopping

__all__ = ["EditedFiles", "FileEditor", "WorkerStopping"]


class FileEditor:
    """One per worker: its runs share the bound on files at once, and the same question is asked only once. With a
    `budget`, calls are paid for from it instead of being made by `claude`. Where requests go out in batches, `holds`
    tells whether one was sent before."""

    def __init__(
        self,
        job: Job,
        claude: Claude,
        results: ResultStore,
        stop: asyncio.Event,
        *,
        model: str,
        files_at_once: int,
        plan: Plan | None = None,
        budget: Budget | None = None,
        holds: Holds | None = None,
    ) -> None:
        self._files_at_once = files_at_once
        self._shared = Shared(
            job=job,
            claude=claude,
            budget=budget,
            results=results,
            stop=stop,
            model=model,
            plan=plan,
            room=asyncio.Semaphore(files_at_once),
            warm=WarmCache(waits=holds is None),
            holds=holds,
            files=get_meter(__name__).create_counter(names.METRIC_FILES, description="Files by outcome"),
        )

    async def edit_files(self, repository: str, target: RepositoryProcess, scope: Scope) -> EditedFiles:
        """Raises `WorkerStopping` when not all files are done, `JobFailed` when the whole job has to stop."""
        conventions = await read_conventions(target) if scope.candidates else ""
        files = RepositoryFiles(self._shared, repository, target, conventions)
        waiting: asyncio.Queue[Group | None] = asyncio.Queue(maxsize=self._files_at_once)
        askers = min(self._files_at_once, len(scope.candidates))
        async with task_group() as group:
            group.create_task(files.read(scope.candidates, waiting, askers), name="read")
            for _ in range(askers):
                group.create_task(files.answer(waiting), name="answer")
        if files.tally.stopped:
            raise WorkerStopping
        return files.tally.sum_up(scope.counts)

    async def correct_files(
        self, repository: str, target: RepositoryProcess, scope: Scope, notes: Mapping[str, str], *, number: int
    ) -> int:
        """Ask about files again, as they are staged, with a note of what is wrong with each; how many were changed.
        `number` counts these rounds from 1. Raises as `edit_files` does."""
        files = RepositoryFiles(self._shared, repository, target, await read_conventions(target))
        modes = {candidate.path: candidate.mode for candidate in scope.candidates}
        async with task_group() as group:
            for path, note in notes.items():
                correcting = files.correct(path, note, mode=modes.get(path, REGULAR), number=number)
                group.create_task(correcting, name="correct")
        if files.tally.stopped:
            raise WorkerStopping
        return files.tally.edited

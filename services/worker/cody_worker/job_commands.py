"""The commands of a job's steps, and who runs them: found out once per worker."""

import asyncio
from collections.abc import Sequence

from msgspec import Struct

from cody_jobs.models import JobSpec
from cody_jobs.reports import CheckResult
from cody_jobs.steps import codemods_of, has_commands, verify_commands_of
from cody_worker.commands.codemod import Codemods, run_codemods
from cody_worker.commands.verify import Verifier
from cody_worker.git.repository_process import RepositoryProcess
from cody_worker.sandbox.bubblewrap import Sandbox
from cody_worker.sandbox.command import CommandLimits, CommandResult, CommandRunner
from cody_worker.sandbox.find_sandbox import NoSandbox, choose_runner, find_sandbox
from cody_worker.settings import WorkerSettings


class CommandPlace(Struct, frozen=True, kw_only=True):
    """`path` is the worker's PATH; `hidden` are folders that no command may see."""

    path: str
    hidden: tuple[str, ...] = ()


class JobCommands:
    """One per worker."""

    def __init__(self, spec: JobSpec, settings: WorkerSettings, place: CommandPlace) -> None:
        self._spec = spec
        self._settings = settings
        self._place = place
        self._found: Sandbox | NoSandbox | None = None
        self._turn = asyncio.Lock()

    @property
    def codemods(self) -> Sequence[Sequence[str]]:
        return codemods_of(self._spec.steps)

    async def check(self) -> None:
        """Raises `JobFailed(sandbox_missing)` where the job has commands that cannot be run here."""
        if has_commands(self._spec.steps):
            await self._runner()

    async def run_codemods(self, target: RepositoryProcess) -> Codemods:
        runner = await self._runner()
        return await run_codemods(runner, target, self.codemods, self._limits(), scratch=self._settings.scratch)

    async def verifier(self, target: RepositoryProcess) -> Verifier | None:
        """None where nothing is to be verified."""
        commands = verify_commands_of(self._spec.steps)
        if not commands:
            return None
        return Verifier(await self._runner(), target, commands, self._limits(), scratch=self._settings.scratch)

    async def _runner(self) -> CommandRunner:
        settings = self._settings
        async with self._turn:
            if self._found is None:
                self._found = await find_sandbox(
                    path=self._place.path,
                    more=settings.command_folders,
                    hidden=self._place.hidden,
                    scratch=settings.scratch,
                )
        return choose_runner(
            self._found,
            allow_unsandboxed=settings.allow_unsandboxed_commands,
            path=self._place.path,
            more=settings.command_folders,
        )

    def _limits(self) -> CommandLimits:
        return CommandLimits(
            seconds=self._settings.command_seconds,
            memory_mb=self._settings.command_memory_mb,
            processes=self._settings.command_processes,
        )


def check_results(results: Sequence[CommandResult], *, on_base: bool = False) -> tuple[CheckResult, ...]:
    """As a run's report keeps them."""
    return tuple(
        CheckResult(
            argv=result.argv,
            on_base=on_base,
            exit_code=result.exit_code,
            reason=result.reason,
            seconds=result.seconds,
            output=result.output,
            truncated=result.truncated,
        )
        for result in results
    )

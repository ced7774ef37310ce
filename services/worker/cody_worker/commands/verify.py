"""Run the verify commands of a job: on the base commit once, then on each edited tree, and tell what is new."""

import asyncio
import shlex
from collections import Counter
from collections.abc import Iterable, Sequence

from msgspec import Struct

from cody_worker.commands.files_named import files_named
from cody_worker.commands.open_work_folder import OpenedFolder, open_work_folder
from cody_worker.commands.output_text import failing_lines, lines_that_matter, plain
from cody_worker.commands.results import described, ended, shortened
from cody_worker.git.repository_process import RepositoryProcess
from cody_worker.sandbox.command import CommandLimits, CommandResult, CommandRunner

_MESSAGE_BYTES = 8_000


class Finding(Struct, frozen=True, kw_only=True, rename="camel"):
    """A command that fails as it did not before. `message` is for Claude and for people; `files` are those of the
    repository that its new lines name, the first one first; there may be none."""

    argv: tuple[str, ...]
    message: str
    files: tuple[str, ...]


class Verified(Struct, frozen=True, kw_only=True):
    """Every command succeeded."""

    results: tuple[CommandResult, ...]


class FailedBefore(Struct, frozen=True, kw_only=True):
    """Nothing is worse than on the base commit, but these commands failed there, and fail in the same way now."""

    results: tuple[CommandResult, ...]
    failing: tuple[tuple[str, ...], ...]


class VerifyFailed(Struct, frozen=True, kw_only=True):
    """The commands after the one with a finding were not run."""

    results: tuple[CommandResult, ...]
    findings: tuple[Finding, ...]


Verdict = Verified | FailedBefore | VerifyFailed


class _Outcome(Struct, frozen=True, kw_only=True):
    """`text` is the whole output, plain; the result's own is shortened."""

    result: CommandResult
    text: str


class _Before(Struct, frozen=True, kw_only=True):
    """What is remembered of the base commit: how a command ended, and its failing lines, normalised."""

    result: CommandResult
    failing: Counter[str]


class Verifier:
    """Of one repository. Its commands run one after the other, in a fresh work tree each time."""

    def __init__(
        self,
        runner: CommandRunner,
        target: RepositoryProcess,
        commands: Sequence[Sequence[str]],
        limits: CommandLimits,
        *,
        scratch: str | None = None,
    ) -> None:
        self._runner = runner
        self._target = target
        self._commands = commands
        self._limits = limits
        self._scratch = scratch
        self._before: tuple[_Before, ...] | None = None
        self._first = asyncio.Lock()

    async def run_on_base(self) -> tuple[CommandResult, ...]:
        """The commands' results on the base commit, where they are run once. May be called while files are edited."""
        return tuple(before.result for before in await self._on_base())

    async def verify(self, paths: Iterable[str]) -> Verdict:
        """What the commands say of all that is staged. Findings name files among `paths`."""
        befores = await self._on_base()
        results: list[CommandResult] = []
        failing: list[tuple[str, ...]] = []
        async with open_work_folder(self._target, self._scratch) as opened:
            for argv, before in zip(self._commands, befores, strict=True):
                after = await self._run(argv, opened)
                results.append(after.result)
                if after.result.succeeded:
                    continue
                if (finding := _what_is_new(before, after, paths)) is not None:
                    return VerifyFailed(results=tuple(results), findings=(finding,))
                failing.append(tuple(argv))
        if failing:
            return FailedBefore(results=tuple(results), failing=tuple(failing))
        return Verified(results=tuple(results))

    async def _on_base(self) -> tuple[_Before, ...]:
        async with self._first:
            if self._before is None:
                async with open_work_folder(self._target, self._scratch, base=True) as opened:
                    self._before = tuple([_remembered(await self._run(argv, opened)) for argv in self._commands])
            return self._before

    async def _run(self, argv: Sequence[str], opened: OpenedFolder) -> _Outcome:
        tree = self._runner.tree_in_output(opened.folder)
        result = await self._runner.run(argv, opened.folder, self._limits)
        return _Outcome(result=shortened(result, tree), text=plain(result.output, tree))


def _remembered(outcome: _Outcome) -> _Before:
    return _Before(result=outcome.result, failing=failing_lines(outcome.text))


def _what_is_new(before: _Before, after: _Outcome, paths: Iterable[str]) -> Finding | None:
    """None where the command fails as it did on the base commit: with the same end, and no failing line more."""
    if before.result.succeeded:
        return _finding(after, None, paths)
    new = failing_lines(after.text) - before.failing
    ends = [(result.reason, result.exit_code) for result in (before.result, after.result)]
    if not new and ends[0] == ends[1]:
        return None
    return _finding(after, new or None, paths)


def _finding(after: _Outcome, new: Iterable[str] | None, paths: Iterable[str]) -> Finding:
    known = tuple(paths)
    detail = lines_that_matter(after.text, _MESSAGE_BYTES, only=new)
    command = shlex.join(described(after.result.argv))
    return Finding(
        argv=after.result.argv,
        message=f"`{command}` {ended(after.result)}:\n{detail}",
        files=files_named(detail, known) or files_named(after.text, known),
    )

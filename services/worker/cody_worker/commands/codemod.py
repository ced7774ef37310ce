"""Run the codemods of a job on one work tree, and stage what they changed."""

import shlex
from collections.abc import Sequence
from pathlib import PurePath

from msgspec import Struct

from cody_jobs.errors import JobFailed
from cody_jobs.models import Failure, FailureCode
from cody_worker.commands.open_work_folder import open_work_folder
from cody_worker.commands.output_text import lines_that_matter, plain
from cody_worker.commands.results import described, ended, shortened
from cody_worker.git.repository_process import RepositoryProcess
from cody_worker.git.work_tree import FileChange, LeftOut
from cody_worker.sandbox.command import CommandLimits, CommandResult, CommandRunner

_MESSAGE_BYTES = 2_000
_AST_GREP = {"ast-grep", "sg"}


class CodemodsDone(Struct, frozen=True, kw_only=True):
    """`changes` are staged; there may be none. `left_out` are files that the codemods never saw."""

    results: tuple[CommandResult, ...]
    changes: tuple[FileChange, ...]
    left_out: tuple[LeftOut, ...]

    @property
    def summary(self) -> str:
        if not self.changes:
            return "the codemods changed nothing"
        return f"the codemods changed {len(self.changes)} files"


class CodemodFailed(Struct, frozen=True, kw_only=True):
    """Nothing is staged. The last of the `results` is the one that failed, unless what they left was refused."""

    results: tuple[CommandResult, ...]
    failure: Failure


Codemods = CodemodsDone | CodemodFailed


async def run_codemods(
    runner: CommandRunner,
    target: RepositoryProcess,
    codemods: Sequence[Sequence[str]],
    limits: CommandLimits,
    *,
    scratch: str | None = None,
) -> Codemods:
    """One after the other, each on what the one before left. After changes, call `target.scope` before anything else
    is read or staged.

    Raises `JobFailed` for what is not the codemods' fault (`sandbox_missing`, `disk_full`, `repository_too_large`).
    """
    results: list[CommandResult] = []
    async with open_work_folder(target, scratch) as opened:
        tree = runner.tree_in_output(opened.folder)
        for argv in codemods:
            result = await runner.run(argv, opened.folder, limits)
            results.append(shortened(result, tree))
            if not result.succeeded and not _found_nothing(result):
                return CodemodFailed(results=tuple(results), failure=_failure(result, tree))
        try:
            changes = await target.collect(opened.folder.tree)
        except JobFailed as error:
            if error.code != FailureCode.CODEMOD_FAILED:
                raise
            failure = Failure(code=FailureCode.CODEMOD_FAILED, message=error.message, retryable=False)
            return CodemodFailed(results=tuple(results), failure=failure)
        return CodemodsDone(results=tuple(results), changes=changes, left_out=opened.written.left_out)


def _found_nothing(result: CommandResult) -> bool:
    """`ast-grep run` ends like grep when nothing matches: with exit code 1, and without a word."""
    return PurePath(result.argv[0]).name in _AST_GREP and result.exit_code == 1 and not result.output.strip()


def _failure(result: CommandResult, tree: str) -> Failure:
    detail = lines_that_matter(plain(result.output, tree), _MESSAGE_BYTES)
    message = f"codemod {shlex.join(described(result.argv))} {ended(result)}" + (f": {detail}" if detail else "")
    return Failure(code=FailureCode.CODEMOD_FAILED, message=message, retryable=False)

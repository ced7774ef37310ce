"""The worker's side of a target repository: all work is done by a child process, which can be given up at any time."""

import asyncio
import socket
import tempfile
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from cody_jobs.errors import JobFailed
from cody_jobs.models import FailureCode
from cody_jobs.outcomes import RunPatch
from cody_jobs.ports.code_host import CloneSource
from cody_jobs.reports import Remaining
from cody_runtime.fork_server import ForkServer
from cody_worker.git.child_connection import ChildConnection
from cody_worker.git.limits import Checkout, GitLimits
from cody_worker.git.look import Found, SearchRules
from cody_worker.git.scope import NotACandidate, Scope, ScopeRules
from cody_worker.git.scratch_folder import ScratchFolder, remove_abandoned
from cody_worker.git.staged_files import ChangedMeanwhile, FileStage
from cody_worker.git.wire import (
    CheckedOut,
    CheckOut,
    ChildSetup,
    ChooseFiles,
    Collect,
    Collected,
    Commit,
    Committed,
    Failed,
    FileRead,
    FilesChosen,
    FilesStaged,
    FindRemaining,
    Materialise,
    Materialised,
    OtherRead,
    ReadFile,
    ReadOther,
    Refused,
    RemainingFound,
    Reply,
    Request,
    SearchText,
    StageFiles,
    StageTogether,
    Stale,
    TextFound,
    encode,
)
from cody_worker.git.work_tree import FileChange, WorkTree, WorkTreeLimits

R = TypeVar("R", bound=Reply)
_STAGED_AT_ONCE_BYTES = 8 << 20
_WORK_TREE_LIMITS = WorkTreeLimits()


class GitLauncher:
    """Starts git children; owns the fork server that they come from."""

    def __init__(self, server: ForkServer) -> None:
        self._server = server
        self._swept: set[str | None] = set()

    @classmethod
    def fork_now(cls) -> "GitLauncher":
        """To be called before any thread or event loop exists."""
        from cody_worker.git.child import entry

        return cls(ForkServer.fork_now(entry))

    @asynccontextmanager
    async def open(self, source: CloneSource, limits: GitLimits) -> AsyncGenerator["RepositoryProcess"]:
        """A child for this repository; it is killed, and its scratch repository removed, when the block ends.

        Raises `Unavailable` when no child can be started, `JobFailed(disk_full)` when there is no room for its folder.
        """
        folder = await self._make_folder(limits.scratch)
        try:
            setup = ChildSetup(source=source, folder=str(folder.path), limits=limits)
            async with self._start(setup) as repository:
                yield repository
        finally:
            await asyncio.to_thread(folder.remove)

    async def aclose(self) -> None:
        """End all children and the fork server."""
        await self._server.aclose()

    async def _make_folder(self, scratch: str | None) -> ScratchFolder:
        """The first time, what killed workers left there is removed."""
        sweep = scratch not in self._swept
        self._swept.add(scratch)
        try:
            return await asyncio.to_thread(_make_folder, scratch, sweep=sweep)
        except OSError as error:
            message = f"no scratch folder can be made: {error}"
            raise JobFailed(FailureCode.DISK_FULL, message, retryable=True) from error

    @asynccontextmanager
    async def _start(self, setup: ChildSetup) -> AsyncGenerator["RepositoryProcess"]:
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                process = await self._server.spawn(encode(setup), fds=[theirs.fileno()])
            reader, writer = await asyncio.open_connection(sock=ours)
        except BaseException:
            ours.close()
            raise
        child = ChildConnection(process, reader, writer, setup)
        try:
            yield RepositoryProcess(process.pid, child)
        finally:
            await child.aclose()


class RepositoryProcess:
    """One repository. Requests are answered one at a time, in order; each may take `GitLimits.seconds`.

    Every method raises `JobFailed`: what the repository is guilty of (see `target_repository`), or how the child
    ended: `repository_too_slow`, `repository_too_large`, `repository_unreadable`, `disk_full`. After a child's end
    every further request fails the same way. Raises `Unavailable` when the worker itself is being ended.
    """

    def __init__(self, pid: int, child: ChildConnection) -> None:
        self.pid = pid
        self._child = child

    async def checkout(self) -> Checkout:
        """To be called first."""
        return (await self._ask(CheckOut(), CheckedOut)).checkout

    async def scope(self, rules: ScopeRules) -> Scope:
        return (await self._ask(ChooseFiles(rules=rules), FilesChosen)).scope

    async def read_file(self, path: str) -> bytes:
        """A candidate's bytes. Raises `NotACandidate` for any other path."""
        return (await self.read_with_matches(path, ())).content

    async def read_with_matches(self, path: str, patterns: tuple[str, ...]) -> FileRead:
        """A candidate's bytes, and the lines that regular expressions match, which may backtrack without end."""
        return await self._ask(ReadFile(path=path, patterns=patterns), FileRead)

    async def read_other(self, path: str, *, staged: bool = False) -> bytes | None:
        """Any text file, candidate or not, with what is staged or without; None where there is none."""
        return (await self._ask(ReadOther(path=path, staged=staged), OtherRead)).content

    async def search(self, rules: SearchRules) -> Found:
        """Raises `NotACandidate` for a pattern that is none."""
        return (await self._ask(SearchText(rules=rules), TextFound)).found

    async def stage(self, changes: Mapping[str, bytes]) -> None:
        """Hand over candidates' new bytes, to be part of the next commit; they need not be kept here any longer.
        Raises `NotACandidate`, and then takes none of them."""
        await self._ask(StageFiles(changes=changes), FilesStaged)

    async def stage_together(self, files: tuple[FileStage, ...]) -> None:
        """What belongs to one change, all of it or nothing. Raises `NotACandidate` for a file that may not be changed
        or made, `ChangedMeanwhile` where a file is not what the change was made for."""
        await self._ask(StageTogether(files=files), FilesStaged)

    async def materialise(
        self, folder: Path, *, base: bool = False, limits: WorkTreeLimits = _WORK_TREE_LIMITS
    ) -> WorkTree:
        """Write all files into the empty `folder`, as they are staged, or as the base commit has them."""
        request = Materialise(folder=str(folder), base=base, limits=limits)
        return (await self._ask(request, Materialised)).work_tree

    async def collect(self, folder: Path, *, limits: WorkTreeLimits = _WORK_TREE_LIMITS) -> tuple[FileChange, ...]:
        """Stage what has changed in a work tree that was written by `materialise`. No candidate is one any more: call
        `scope` before the next `read_file` or `stage`. Raises `JobFailed(codemod_failed)` for what cannot be taken,
        and then takes nothing."""
        return (await self._ask(Collect(folder=str(folder), limits=limits), Collected)).changes

    async def find_remaining(self, rules: ScopeRules) -> Remaining:
        """What the plan's completion query matches in the files as they are staged."""
        return (await self._ask(FindRemaining(rules=rules), RemainingFound)).remaining

    async def commit(
        self, changes: Mapping[str, bytes], *, branch: str, message: str, author: str, when: datetime
    ) -> RunPatch | None:
        """Stage the changes and make one commit of everything staged; None when nothing differs. The
        same input gives the same commit id and the same patch. `when` is an aware datetime."""
        for part in _in_parts(changes):
            await self.stage(part)
        request = Commit(branch=branch, message=message, author=author, when=when)
        return (await self._ask(request, Committed)).patch

    async def _ask(self, request: Request, kind: type[R]) -> R:
        return _check(await self._child.ask(request), kind)


def _check(reply: Reply, kind: type[R]) -> R:
    if isinstance(reply, kind):
        return reply
    match reply:
        case Failed():
            raise JobFailed(reply.code, reply.message, retryable=reply.retryable)
        case Refused():
            raise NotACandidate(reply.message)
        case Stale():
            raise ChangedMeanwhile(reply.message)
        case _:
            raise JobFailed(FailureCode.INTERNAL_ERROR, f"the git child answered with {type(reply).__name__}")


def _make_folder(scratch: str | None, *, sweep: bool) -> ScratchFolder:
    parent = Path(scratch or tempfile.gettempdir())
    if sweep:
        remove_abandoned(parent)
    return ScratchFolder.make(parent)


def _in_parts(changes: Mapping[str, bytes]) -> Iterator[Mapping[str, bytes]]:
    part: dict[str, bytes] = {}
    size = 0
    for path, content in changes.items():
        part[path] = content
        size += len(content)
        if size >= _STAGED_AT_ONCE_BYTES:
            yield part
            part, size = {}, 0
    if part:
        yield part

"""Git children for tests: from a fork server in an interpreter of its own, as the tests' has threads and a loop."""

import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from cody_jobs.outcomes import RunPatch
from cody_jobs.ports.code_host import CloneSource
from cody_runtime.fork_server import ForkServer
from cody_worker.git.limits import GitLimits
from cody_worker.git.repository_process import GitLauncher, RepositoryProcess
from cody_worker.git.scope import Scope, ScopeRules

WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
EVERYTHING = ScopeRules()


@asynccontextmanager
async def open_launcher() -> AsyncGenerator[GitLauncher]:
    server = await ForkServer.launch("cody_worker.git.child:entry", environment=dict(os.environ))
    launcher = GitLauncher(server)
    try:
        yield launcher
    finally:
        await launcher.aclose()


class GitWork:
    """Opens repositories with scratch folders in a place of the test's own, and limits that suit it."""

    def __init__(self, launcher: GitLauncher, scratch: Path) -> None:
        self.launcher = launcher
        self.scratch = scratch

    def limits(self, *, seconds: float = 60, memory_mb: int = 1024, clone_bytes: int = 1 << 30) -> GitLimits:
        return GitLimits(
            seconds=seconds,
            memory_mb=memory_mb,
            clone_bytes=clone_bytes,
            server_seconds=1,
            scratch=str(self.scratch),
        )

    @asynccontextmanager
    async def open(
        self, source: CloneSource | Path, limits: GitLimits | None = None
    ) -> AsyncGenerator[RepositoryProcess]:
        """A child that has not checked out yet."""
        if isinstance(source, Path):
            source = CloneSource(path=str(source))
        async with self.launcher.open(source, limits or self.limits()) as repository:
            yield repository

    async def scope(
        self, source: CloneSource | Path, rules: ScopeRules = EVERYTHING, limits: GitLimits | None = None
    ) -> Scope:
        async with self.open(source, limits) as repository:
            await repository.checkout()
            return await repository.scope(rules)

    async def commit(self, source: CloneSource | Path, changes: Mapping[str, bytes]) -> RunPatch:
        async with self.open(source) as repository:
            await repository.checkout()
            await repository.scope(EVERYTHING)
            return await commit(repository, changes)


async def commit(repository: RepositoryProcess, changes: Mapping[str, bytes]) -> RunPatch:
    patch = await commit_if_changed(repository, changes)
    assert patch is not None, "nothing differs from the base commit"
    return patch


async def commit_if_changed(repository: RepositoryProcess, changes: Mapping[str, bytes]) -> RunPatch | None:
    return await repository.commit(
        changes, branch="cody/job-1", message="Use less\n\nCody-Batch-Job: job-1\n", author="Cody <cody@x>", when=WHEN
    )

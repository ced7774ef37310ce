"""The leases of the runs that a worker holds: renewed until it gives them back."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

from cody_jobs.models import JobStatus, RepositoryRun
from cody_jobs.ports import JobStore
from cody_runtime.logs import get_logger

log = get_logger(__name__)


class HeldRuns:
    """`leave` is told of each repository whose run is no longer ours."""

    def __init__(
        self, jobs: JobStore, job_id: str, *, owner: str, lease: timedelta, leave: Callable[[str], object]
    ) -> None:
        self._jobs = jobs
        self._job_id = job_id
        self._owner = owner
        self._lease = lease
        self._leave = leave
        self._held: set[str] = set()

    def __contains__(self, repository: str) -> bool:
        return repository in self._held

    def __len__(self) -> int:
        return len(self._held)

    async def claim(self, repository: str) -> RepositoryRun:
        """Raises `RunLost` and `LeaseLost` as the store does."""
        run = await self._jobs.claim_run(self._job_id, repository, owner=self._owner, lease=self._lease)
        self._held.add(repository)
        return run

    def forget(self, repository: str) -> None:
        """It has ended, or is about to: its lease is not renewed any more."""
        self._held.discard(repository)

    def forget_all(self) -> None:
        self._held.clear()

    async def keep(self) -> None:
        """Renew three times per lease."""
        while True:
            await asyncio.sleep(self._lease.total_seconds() / 3)
            await self.renew()

    async def renew(self) -> None:
        held = sorted(self._held)
        if not held:
            return
        renewal = await self._jobs.renew_leases(self._job_id, held, owner=self._owner, lease=self._lease)
        for repository in set(held) - renewal.held:
            self._lost(repository, renewal.job_status)

    def _lost(self, repository: str, job_status: JobStatus) -> None:
        if repository not in self._held:
            return  # it ended while the renewal was under way
        log.info("lease_gone", repository=repository, job_status=job_status)
        self._held.discard(repository)
        self._leave(repository)

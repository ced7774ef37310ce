"""Find what fell between two programs: half-created jobs, jobs without a message, workers that are gone, jobs that
nobody ended. Every step may be done by two dispatchers at once."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from cody_dispatcher.dispatch_job import dispatch_job
from cody_dispatcher.health_file import HealthFile
from cody_dispatcher.log_failure import log_failure
from cody_dispatcher.pauses import Backoff, pause
from cody_dispatcher.ports import DispatcherPorts
from cody_dispatcher.recover_shard import end_shard, look_after_shard
from cody_jobs.errors import JobNotFound, Unavailable
from cody_jobs.ports import OpenShard
from cody_runtime import names
from cody_runtime.logs import get_logger
from cody_runtime.telemetry import context_from, get_tracer

log = get_logger(__name__)
tracer = get_tracer(__name__)

Clock = Callable[[], datetime]

_HALF_CREATED_FOR = timedelta(seconds=60)
_JOBS_AT_ONCE = 100
_SHARDS_AT_ONCE = 10_000
_LONGEST_PAUSE = timedelta(seconds=60)


class Reconciler:
    def __init__(
        self,
        ports: DispatcherPorts,
        *,
        repositories_per_worker: int,
        every: timedelta,
        pending_for: timedelta,
        health: HealthFile,
        clock: Clock = lambda: datetime.now(UTC),
    ) -> None:
        self._ports = ports
        self._repositories_per_worker = repositories_per_worker
        self._every = every
        self._pending_for = pending_for
        self._health = health
        self._clock = clock
        self._not_before: dict[str, datetime] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Reconcile now and every so often, until `stop` is set; less often while a dependency is away."""
        backoff = Backoff()
        while not stop.is_set():
            if await self.reconcile():
                backoff.reset()
                await self._health.touch()
                await pause(stop, self._every.total_seconds())
            else:
                await pause(stop, max(self._every.total_seconds(), backoff.next()))

    async def reconcile(self) -> bool:
        """One look at everything; False when it was cut short. A step, job or shard that fails is logged, does not
        keep the others from being looked after, and is tried again at the next look."""
        steps = (self._discard_half_created, self._look_after_shards, self._dispatch_waiting, self._settle)
        for step in steps:
            try:
                await step()
            except Unavailable as error:
                log_failure("reconcile_cut_short", error)
                return False
            except Exception as error:  # noqa: BLE001 (an outer loop: it logs and goes on)
                log_failure("reconcile_step_failed", error, step=step.__name__)
        return True

    async def _discard_half_created(self) -> None:
        job_ids = await self._ports.jobs.discard_half_created(older_than=_HALF_CREATED_FOR)
        if job_ids:
            await self._ports.results.forget_jobs(job_ids)
            log.warning("half_created_jobs_discarded", job_ids=job_ids)

    async def _look_after_shards(self) -> None:
        """Shards without a compute id are not with compute yet; their job is one of those to dispatch."""
        by_compute: defaultdict[str, list[OpenShard]] = defaultdict(list)
        for found in await self._ports.jobs.list_open_shards(limit=_SHARDS_AT_ONCE):
            if found.shard.compute_id:
                by_compute[found.shard.compute_id].append(found)
        for compute_id, shards in by_compute.items():
            async with _going_on("shards_not_looked_after", compute_id=compute_id):
                await self._look_after(compute_id, shards)

    async def _look_after(self, compute_id: str, shards: Sequence[OpenShard]) -> None:
        reports = await self._ports.compute.describe(compute_id, [found.shard.index for found in shards])
        for found in shards:
            shard = found.shard
            facts = {"job_id": shard.job_id, "attempt": shard.attempt, "shard": shard.index}
            async with _going_on("shard_not_looked_after", **facts):
                await look_after_shard(self._ports, found, reports[shard.index], now=self._clock())

    async def _dispatch_waiting(self) -> None:
        self._forget_old_pauses()
        job_ids = await self._ports.jobs.list_jobs_to_dispatch(pending_for=self._pending_for, limit=_JOBS_AT_ONCE)
        for job_id in job_ids:
            if self._not_before.get(job_id, self._clock()) <= self._clock():
                async with _going_on("job_not_dispatched", job_id=job_id):
                    await self._dispatch(job_id)

    async def _dispatch(self, job_id: str) -> None:
        job = await self._ports.jobs.get_job(job_id)
        with tracer.start_as_current_span(
            names.SPAN_RECONCILE, context=context_from(job.traceparent), attributes={names.JOB_ID: job_id}
        ):
            log.info("job_found_waiting", job_id=job_id, status=job.status, attempt=job.attempt)
            await dispatch_job(self._ports, job_id, repositories_per_worker=self._repositories_per_worker)
        self._not_before[job_id] = self._clock() + self._pause_after(job.attempt)

    def _pause_after(self, attempt: int) -> timedelta:
        """Workers that give their runs back again and again (a dependency is away) are started ever more slowly, but
        for the first time at once."""
        return min(_LONGEST_PAUSE, self._every * 2 ** min(attempt - 1, 10)) if attempt > 1 else timedelta(0)

    def _forget_old_pauses(self) -> None:
        now = self._clock()
        self._not_before = {job_id: until for job_id, until in self._not_before.items() if until > now}

    async def _settle(self) -> None:
        for job_id, attempt, index in await self._ports.jobs.list_jobs_to_settle(limit=_JOBS_AT_ONCE):
            async with _going_on("job_not_settled", job_id=job_id):
                await end_shard(self._ports, job_id, attempt, index)


@asynccontextmanager
async def _going_on(event: str, **facts: object) -> AsyncGenerator[None]:
    """What fails inside is logged and must not keep the others from being looked after."""
    try:
        yield
    except JobNotFound:
        log.info("job_is_gone", **facts)
    except Exception as error:  # noqa: BLE001 (an outer loop: it logs and goes on)
        log_failure(event, error, **facts)

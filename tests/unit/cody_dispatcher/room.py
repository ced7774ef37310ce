"""A dispatcher's surroundings: real jobs, messages and results; compute that only notes what it was asked."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cody_backends.postgres.database import Database
from cody_backends.postgres.job_store import PostgresJobStore
from cody_backends.postgres.result_store import PostgresResultStore
from cody_backends.postgres.work_queue import PostgresWorkQueue
from cody_dispatcher.consume_messages import MessageConsumer
from cody_dispatcher.health_file import HealthFile
from cody_dispatcher.ports import DispatcherPorts
from cody_dispatcher.reconcile import Reconciler
from cody_jobs.events import EventBody
from cody_jobs.messages import JOBS_QUEUE, JobSubmitted, Message, encode_message
from cody_jobs.models import Job, RepositoryRun, Shard
from cody_jobs.ports import ComputeRequest, QueueDepth, ShardReport, ShardState, WorkQueue
from tests.contract import jobs as sample
from tests.support.wait import wait_until

PER_WORKER = 2
VISIBILITY = timedelta(seconds=2)


class Crash(Exception):
    """Stands for a process that dies here."""


class NotedCompute:
    """Remembers every request; its workers are what the test says they are."""

    def __init__(self) -> None:
        self.started: dict[str, ComputeRequest] = {}
        self.stopped: list[tuple[str, tuple[int, ...] | None]] = []
        self.reports: dict[tuple[str, int], ShardReport] = {}
        self.before_start: Callable[[], Awaitable[None]] | None = None
        self.after_start: Callable[[ComputeRequest], Awaitable[None]] | None = None

    async def ping(self) -> None:
        return

    async def start(self, request: ComputeRequest) -> str:
        if self.before_start:
            await self.before_start()
        compute_id = f"compute-{len(self.started) + 1}"
        self.started[compute_id] = request
        if self.after_start:
            await self.after_start(request)
        return compute_id

    async def describe(self, compute_id: str, indexes: Sequence[int]) -> dict[int, ShardReport]:
        absent = ShardState.RUNNING if compute_id in self.started else ShardState.UNKNOWN
        unchanged = ShardReport(state=absent, exit_code=None, reason=None)
        return {index: self.reports.get((compute_id, index), unchanged) for index in indexes}

    async def stop(self, compute_id: str, *, indexes: Sequence[int] | None = None) -> None:
        self.stopped.append((compute_id, None if indexes is None else tuple(indexes)))

    def end(self, compute_id: str, index: int, exit_code: int, reason: str | None = None) -> None:
        state = ShardState.FAILED if exit_code else ShardState.SUCCEEDED
        self.reports[compute_id, index] = ShardReport(state=state, exit_code=exit_code, reason=reason)


class Room:
    def __init__(self, database: Database, *, queue: WorkQueue | None = None) -> None:
        self.database = database
        self.jobs = PostgresJobStore(database)
        self.queue = queue or PostgresWorkQueue(database)
        self.results = PostgresResultStore(database)
        self.compute = NotedCompute()
        self.now: Callable[[], datetime] = lambda: datetime.now(UTC)
        self.ports = DispatcherPorts(jobs=self.jobs, queue=self.queue, results=self.results, compute=self.compute)

    def reconciler(
        self,
        *,
        pending_for: timedelta = timedelta(0),
        ports: DispatcherPorts | None = None,
        per_worker: int = PER_WORKER,
        health: Path | None = None,
    ) -> Reconciler:
        return Reconciler(
            ports or self.ports,
            repositories_per_worker=per_worker,
            every=timedelta(seconds=5),
            pending_for=pending_for,
            health=HealthFile(str(health) if health else None),
            clock=lambda: self.now(),
        )

    def consumer(self, *, visibility: timedelta = VISIBILITY, ports: DispatcherPorts | None = None) -> MessageConsumer:
        return MessageConsumer(ports or self.ports, repositories_per_worker=PER_WORKER, visibility=visibility)

    async def reconcile(self) -> None:
        assert await self.reconciler().reconcile()

    async def submit(self, repositories: int = 3, *, attributes: dict[str, str] | None = None) -> Job:
        job = await sample.create(self.jobs, repositories)
        await self.send(JobSubmitted(job_id=job.id), attributes=attributes)
        return job

    async def send(self, message: Message, *, attributes: dict[str, str] | None = None) -> None:
        await self.queue.send(JOBS_QUEUE, encode_message(message), attributes=attributes)

    async def handed_over(self, repositories: int = 3) -> Job:
        """A job whose workers are at work."""
        job = await sample.create(self.jobs, repositories)
        await self.reconcile()
        assert self.compute.started
        return await self.jobs.get_job(job.id)

    async def consume_until(
        self, fact: Callable[[], Awaitable[bool]], what: str, *, consumer: MessageConsumer | None = None
    ) -> None:
        stop = asyncio.Event()
        consuming = asyncio.create_task((consumer or self.consumer()).run(stop))
        try:
            await wait_until(fact, what)
        finally:
            stop.set()
            await consuming

    async def queue_is_empty(self) -> bool:
        depth = await self.queue.depth(JOBS_QUEUE)
        return depth == QueueDepth(ready=0, in_flight=0, dead=depth.dead)

    async def run(self, job: Job, number: int = 0) -> RepositoryRun:
        return await self.jobs.get_run(job.id, f"owner/r{number}")

    async def shard_of(self, job: Job, number: int = 0) -> Shard:
        run = await self.run(job, number)
        assert run.shard is not None
        return await self.jobs.get_shard(job.id, run.attempt, run.shard)

    async def events(self, job: Job) -> list[EventBody]:
        return [event.body for event in await self.results.read_events(job.id, after=0, limit=1000)]

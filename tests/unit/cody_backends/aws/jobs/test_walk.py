"""Whatever several processes do with a job, in any order, dying or standing still on the way, its books are right at
every moment."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
import stamina

from cody_backends.aws.job_store import DynamoJobStore
from cody_backends.aws.jobs.tables import Tables, job_key
from cody_backends.aws.jobs.writes import Update
from cody_backends.aws.settings import AwsSettings
from cody_jobs.errors import JobRejected, LeaseLost
from cody_jobs.lifecycle import JOB_ENDED
from cody_jobs.models import Failure, FailureCode, JobStatus, RunOutcome
from cody_jobs.ports import JobStore
from cody_jobs.run_filter import RunFilter
from tests.contract.jobs import LEASE, NO_CHANGES, PATCH, create, failed, names, sample_of
from tests.servers.aws_server import AwsServer
from tests.support.dynamodb_tables import create_tables, tables_of
from tests.support.job_books import check_books
from tests.support.troubled_dynamodb import Troubled
from tests.support.watched_dynamodb import Clock, Died

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient

PROCESSES, REPOSITORIES, STEPS = 6, 7, 60
CANNOT_START = Failure(code=FailureCode.CLAUDE_KEY_REFUSED, message="the key was refused", retryable=False)


@pytest.fixture(autouse=True)
def no_pauses() -> Iterable[None]:
    with stamina.set_testing(True, attempts=50):
        yield


class Process:
    """It has its own memory, and trouble with its client; one that died is started anew."""

    def __init__(self, name: str, walk: "Walk") -> None:
        self.name, self._walk = name, walk
        self.client = Troubled(walk.client, walk.chance, share=0.2)
        self.store: JobStore = self._start()
        self.doing: asyncio.Task[None] | None = None

    def _start(self) -> JobStore:
        self.client.live()
        return DynamoJobStore(tables_of(self._as_client, self._walk.settings, clock=self._walk.clock))

    @property
    def _as_client(self) -> "DynamoDBClient":
        client: object = self.client
        return client  # pyright: ignore[reportReturnType] (it stands in for one)

    async def do(self, step: Callable[["Process"], Awaitable[None]]) -> None:
        """Until it is done, or stands still on the way."""
        if self._walk.chance.random() < 0.1:
            self.client.die(within=4)
        if self._walk.chance.random() < 0.3:
            self.client.stand_still(within=3)
        self.doing = asyncio.create_task(self._do(step), name=self.name)
        stands = asyncio.create_task(self.client.stands.wait(), name="stands")
        await asyncio.wait([self.doing, stands], return_when=asyncio.FIRST_COMPLETED)
        if not self.client.stands.is_set():
            stands.cancel()
            await self.go_on()

    async def go_on(self) -> None:
        self.client.go_on()
        if self.doing is not None:
            await self.doing
        self.doing = None

    async def _do(self, step: Callable[["Process"], Awaitable[None]]) -> None:
        """What cannot be, at the moment, is no matter."""
        try:
            await step(self)
            self._walk.done += 1
        except* (JobRejected, LeaseLost):
            pass
        except* Died:
            self.store = self._start()
        self.client.live()


class Walk:
    def __init__(self, client: "DynamoDBClient", settings: AwsSettings, seed: int) -> None:
        self.client, self.settings, self.chance, self.clock = client, settings, random.Random(seed), Clock()
        self.tables: Tables = tables_of(client, settings, clock=self.clock)
        self.store: JobStore = DynamoJobStore(self.tables)
        self.processes = [Process(f"process-{number}", self) for number in range(PROCESSES)]
        self.job_id = ""
        self.done = 0

    async def step(self) -> None:
        """One to three processes do something at once, and one that stands still may go on."""
        free = [process for process in self.processes if process.doing is None]
        chosen = self.chance.sample(free, min(self.chance.randint(1, 3), len(free)))
        weights = [weight for _, weight in STEPS_OF_A_WALK.values()]
        steps = self.chance.choices([step for step, _ in STEPS_OF_A_WALK.values()], weights, k=len(chosen))
        await asyncio.gather(
            *(
                process.do(lambda process, step=step: step(self, process))
                for process, step in zip(chosen, steps, strict=True)
            )
        )
        await check_books(self.tables, self.job_id)
        if self.chance.random() < 0.4:
            await self.chance.choice(self.processes).go_on()
            await check_books(self.tables, self.job_id)

    async def dispatch(self, process: Process) -> None:
        attempt = await process.store.begin_attempt(self.job_id, repositories_per_shard=self.chance.randint(1, 3))
        if attempt is not None and self.chance.random() < 0.8:
            await process.store.record_compute(self.job_id, attempt.number, process.name)

    async def claim(self, process: Process) -> None:
        """Some leases are over soon."""
        lease = self.chance.choice((timedelta(0), LEASE))
        await process.store.claim_run(self.job_id, self._any_run(), owner=process.name, lease=lease)

    async def renew(self, process: Process) -> None:
        repositories = self.chance.sample(names(REPOSITORIES), 3)
        await process.store.renew_leases(self.job_id, repositories, owner=process.name, lease=LEASE)

    async def finish(self, process: Process) -> None:
        result = self.chance.choice((PATCH, NO_CHANGES, failed()))
        await process.store.finish_run(self.job_id, self._any_run(), owner=process.name, result=result)

    async def release(self, process: Process) -> None:
        await process.store.release_run(self.job_id, self._any_run(), owner=process.name)

    async def end(self, process: Process) -> None:
        attempt = max((await process.store.get_job(self.job_id)).attempt - self.chance.randint(0, 1), 1)
        await process.store.end_shard(self.job_id, attempt, self.chance.randint(0, 2))

    async def recover(self, process: Process) -> None:
        found = await process.store.list_open_shards(limit=100)
        if found:
            shard, failure = self.chance.choice(found).shard, self.chance.choice((None, None, None, CANNOT_START))
            await process.store.recover_shard(self.job_id, shard.attempt, shard.index, failure=failure)

    async def stop(self, process: Process) -> None:
        status = self.chance.choice((JobStatus.CANCELLED, JobStatus.FAILED))
        await process.store.stop_job(self.job_id, status=status, failure=None)

    async def retry(self, process: Process) -> None:
        await process.store.retry_job(self.job_id)

    async def retry_succeeded(self, process: Process) -> None:
        outcome = self.chance.choice((RunOutcome.PATCH, RunOutcome.NO_CHANGES))
        await process.store.retry_job(self.job_id, runs=RunFilter(outcomes=(outcome,)), prompt=process.name)

    async def choose(self, process: Process) -> None:
        await process.store.record_sample(self.job_id, sample_of(self._any_run(), self._any_run()))

    async def approve(self, process: Process) -> None:
        await process.store.approve_job(self.job_id, prompt=process.name, again=self.chance.random() < 0.5)

    async def set_pending(self, process: Process) -> None:
        await process.store.set_pending(self.job_id)

    async def set_by_hand(self, _: Process) -> None:
        status = {"status": JobStatus.PENDING.value}
        await self.tables.write(
            Update(table=self.tables.jobs, key=job_key(self.job_id), set=status, marked=False), mark=""
        )

    async def look(self, process: Process) -> None:
        """As the reconciler does."""
        for job_id, attempt, index in await process.store.list_jobs_to_settle(limit=10):
            await process.store.end_shard(job_id, attempt, index)
        for _ in await process.store.list_jobs_to_dispatch(pending_for=timedelta(0), limit=10):
            await self.dispatch(process)

    async def wait(self, _: Process) -> None:
        self.clock.ahead += timedelta(minutes=self.chance.choice((1, 10)))

    def _any_run(self) -> str:
        return self.chance.choice(names(REPOSITORIES))

    async def stand_at_ease(self) -> bool:
        """Nobody is on the way any more; whether the job has ended."""
        for process in self.processes:
            await process.go_on()
        await check_books(self.tables, self.job_id)
        return (await self.store.get_job(self.job_id)).status in JOB_ENDED

    async def bring_to_its_end(self) -> int:
        """What dispatcher, compute and workers do when nobody dies any more; how often the job's end was told."""
        told, store = 0, self.store
        for _ in range(20):
            if (await store.get_job(self.job_id)).status in JOB_ENDED:
                break
            self.clock.ahead += timedelta(hours=1)
            for found in await store.list_open_shards(limit=100):
                await store.recover_shard(self.job_id, found.shard.attempt, found.shard.index, failure=None)
            for _ in await store.list_jobs_to_dispatch(pending_for=timedelta(0), limit=10):
                attempt = await store.begin_attempt(self.job_id, repositories_per_shard=3)
                if attempt is not None:
                    await store.record_compute(self.job_id, attempt.number, "the last")
                    await self._work(attempt.number, attempt.shards)
            for job_id, attempt, index in await store.list_jobs_to_settle(limit=10):
                told += (await store.end_shard(job_id, attempt, index)).job_ended_now
            if (await store.get_job(self.job_id)).status is JobStatus.AWAITING_APPROVAL:
                await store.approve_job(self.job_id, prompt=None, again=False)
        return told

    async def _work(self, attempt: int, shards: int) -> None:
        job = await self.store.get_job(self.job_id)
        if job.sampling:
            await self.store.record_sample(self.job_id, job.sample or sample_of(names(REPOSITORIES)[0]))
        for index in range(shards):
            for repository in (await self.store.get_shard(self.job_id, attempt, index)).repositories:
                try:
                    await self.store.claim_run(self.job_id, repository, owner="the last", lease=LEASE)
                    await self.store.finish_run(self.job_id, repository, owner="the last", result=PATCH)
                except LeaseLost:
                    continue


STEPS_OF_A_WALK: Mapping[str, tuple[Callable[[Walk, Process], Awaitable[None]], int]] = {
    "dispatch": (Walk.dispatch, 4),
    "claim": (Walk.claim, 12),
    "renew": (Walk.renew, 3),
    "finish": (Walk.finish, 6),
    "release": (Walk.release, 2),
    "end": (Walk.end, 3),
    "recover": (Walk.recover, 2),
    "stop": (Walk.stop, 1),
    "retry": (Walk.retry, 2),
    "retry_succeeded": (Walk.retry_succeeded, 1),
    "choose": (Walk.choose, 3),
    "approve": (Walk.approve, 1),
    "set_pending": (Walk.set_pending, 1),
    "set_by_hand": (Walk.set_by_hand, 1),
    "look": (Walk.look, 3),
    "wait": (Walk.wait, 1),
}


@pytest.mark.parametrize(("seed", "sample"), [(1, 0), (2, 2)])
async def test_the_books_are_right_at_every_step_of_a_walk(dynamodb_local: AwsServer, seed: int, sample: int) -> None:
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(dynamodb_local.dynamodb())
        walk = Walk(client, await stack.enter_async_context(create_tables(client, dynamodb_local)), seed)
        walk.job_id = (await create(walk.store, REPOSITORIES, sample=sample)).id

        for _ in range(STEPS):
            await walk.step()

        was_ended = await walk.stand_at_ease()
        told = await walk.bring_to_its_end()
        job = await walk.store.get_job(walk.job_id)
        await check_books(walk.tables, walk.job_id)
        assert job.status in JOB_ENDED
        assert told == (0 if was_ended else 1)
        assert not (await walk.store.count_runs([walk.job_id]))[walk.job_id].unfinished
        assert walk.done > STEPS / 2
        assert sum(process.client.troubles for process in walk.processes) > STEPS

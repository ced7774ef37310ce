"""The server is killed again and again in the middle of a job: no call fails, nothing is lost, nothing counts twice."""

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from cody_backends.open_backends import Backends, open_backends
from cody_backends.postgres.embedded.layout import Layout
from cody_backends.postgres.embedded.locks import is_held
from cody_backends.settings import BackendSettings
from cody_jobs.events import RunStarted
from cody_jobs.models import JobStatus, RunCounts
from cody_jobs.ports.work_queue import QueueDepth
from tests.contract.jobs import PATCH, create, do
from tests.contract.results import call, record
from tests.support.wait import wait_until

REPOSITORIES, SHARDS, KILLS = 60, 10, 2


@pytest.fixture
async def folder() -> AsyncGenerator[Path]:
    """A data folder of its own, with a path that is short enough for a socket."""
    made = Path(tempfile.mkdtemp(prefix="cody-dies-", dir="/tmp"))
    try:
        yield made
        lock = Layout(data=str(made)).supervisor_lock
        await wait_until(lambda: not is_held(lock), "the server has stopped after its last user", 30)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def kill_server(folder: Path) -> None:
    pid_file = Layout(data=str(folder)).database / "postmaster.pid"
    pid = int(pid_file.read_text().splitlines()[0])
    assert pid > 1
    os.kill(pid, signal.SIGKILL)


async def work_on_shard(backends: Backends, job_id: str, index: int, done: asyncio.Queue[str]) -> bool:
    shard = await backends.jobs.get_shard(job_id, 1, index)
    for repository in shard.repositories:
        await backends.results.append_events(job_id, [RunStarted(repository=repository, attempt=1)])
        await backends.results.record_file(
            record(calls=[call(cost=5)], job_id=job_id, repository=repository, path=repository)
        )
        await do(backends.jobs, job_id, {repository: PATCH}, owner=f"worker-{index}")
        await backends.queue.send("done", repository.encode())
        done.put_nowait(repository)
    return (await backends.jobs.end_shard(job_id, 1, index)).job_ended_now


async def kill_now_and_then(folder: Path, done: asyncio.Queue[str]) -> None:
    """After a third of the work, and after two thirds."""
    for _ in range(KILLS):
        for _ in range(REPOSITORIES // (KILLS + 1)):
            await done.get()
        kill_server(folder)


async def test_a_job_is_done_exactly_once_although_the_server_is_killed(folder: Path) -> None:
    done: asyncio.Queue[str] = asyncio.Queue()
    async with open_backends(BackendSettings(cody_data=str(folder))) as backends:
        jobs, results, queue = backends.jobs, backends.results, backends.queue
        job = await create(jobs, REPOSITORIES)
        await jobs.begin_attempt(job.id, repositories_per_shard=REPOSITORIES // SHARDS)

        async with asyncio.TaskGroup() as group:
            killer = group.create_task(kill_now_and_then(folder, done))
            shards = [group.create_task(work_on_shard(backends, job.id, index, done)) for index in range(SHARDS)]

        assert killer.done()
        assert sorted(shard.result() for shard in shards) == [False] * (SHARDS - 1) + [True]
        assert (await jobs.get_job(job.id)).status is JobStatus.SUCCEEDED
        counts = RunCounts(succeeded=REPOSITORIES, patches=REPOSITORIES)
        assert (await jobs.count_runs([job.id]))[job.id] == counts
        usage = await results.usage(job.id)
        assert (usage.calls, usage.cost_microusd) == (REPOSITORIES, 5 * REPOSITORIES)
        assert len(await results.read_events(job.id, after=0, limit=1_000)) == 2 * REPOSITORIES
        assert await queue.depth("done") == QueueDepth(ready=REPOSITORIES, in_flight=0, dead=0)

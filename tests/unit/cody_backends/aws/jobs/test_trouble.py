import asyncio
from collections.abc import Iterable

import pytest
import stamina

from cody_backends.cursors import JobCursor, RunCursor, write_cursor
from cody_jobs.errors import JobRejected
from cody_jobs.models import JobStatus, RunCounts
from cody_jobs.ports import JobStore
from tests.contract.jobs import LEASE, PATCH, create, dispatch, failed
from tests.support.watched_dynamodb import Watched


@pytest.fixture
def no_pauses() -> Iterable[None]:
    with stamina.set_testing(True, attempts=50):
        yield


@pytest.mark.usefixtures("no_pauses")
async def test_a_job_that_is_throttled_all_its_life_ends_right(store: JobStore, client: Watched) -> None:
    client.throttle(0.2, seed=1)
    job = await create(store, 24)
    await dispatch(store, job.id, per_shard=8)
    await asyncio.gather(*(work(store, job.id, shard) for shard in range(3)))
    assert (await store.get_job(job.id)).status is JobStatus.PARTIALLY_SUCCEEDED

    assert await store.retry_job(job.id) == 3
    attempt = await dispatch(store, job.id, per_shard=8)
    for repository in (await store.get_shard(job.id, attempt.number, 0)).repositories:
        await store.claim_run(job.id, repository, owner="another worker", lease=LEASE)
        await store.finish_run(job.id, repository, owner="another worker", result=PATCH)
    end = await store.end_shard(job.id, attempt.number, 0)

    assert (end.job_ended_now, end.job.status) == (True, JobStatus.SUCCEEDED)
    assert (await store.count_runs([job.id]))[job.id] == RunCounts(succeeded=24, patches=24)
    assert client.throttles > 20


async def work(store: JobStore, job_id: str, index: int) -> None:
    """As a worker does: all runs of a shard side by side, with a heartbeat; the first of them fails."""
    owner, repositories = f"worker-{index}", (await store.get_shard(job_id, 1, index)).repositories

    async def do(repository: str) -> None:
        await store.claim_run(job_id, repository, owner=owner, lease=LEASE)
        renewal = await store.renew_leases(job_id, [repository], owner=owner, lease=LEASE)
        assert renewal.held == {repository}
        result = failed() if repository == repositories[0] else PATCH
        await store.finish_run(job_id, repository, owner=owner, result=result)

    await asyncio.gather(*map(do, repositories))
    await store.end_shard(job_id, 1, index)


async def test_a_cursor_of_another_store_is_refused(store: JobStore) -> None:
    job = await create(store, 3)

    with pytest.raises(JobRejected, match="cursor"):
        await store.list_jobs(status=None, limit=1, cursor=write_cursor(JobCursor(at=job.created_at, id=job.id)))
    with pytest.raises(JobRejected, match="cursor"):
        await store.list_runs(job.id, status=None, limit=1, cursor=write_cursor(RunCursor(position=0)))

import base64

import pytest

from cody_jobs.errors import JobRejected, RunNotFound
from cody_jobs.models import Job, JobStatus, Page, RepositoryRun, RunCounts, RunOutcome, RunStatus
from cody_jobs.ports import JobStore
from tests.contract.jobs import ESTIMATED, NO_CHANGES, PATCH, claim, create, dispatched, do, failed, names, new_job

GARBAGE = ["", "x", "é", "%%%", "bnVsbA", base64.urlsafe_b64encode(b'{"of":"jobs","at":1}').decode(), "A" * 5_000]


async def all_jobs(store: JobStore, *, status: JobStatus | None = None, limit: int = 2) -> list[Page[Job]]:
    pages: list[Page[Job]] = []
    cursor = None
    while not pages or cursor is not None:
        pages.append(await store.list_jobs(status=status, limit=limit, cursor=cursor))
        cursor = pages[-1].cursor
    return pages


async def all_runs(store: JobStore, job_id: str, *, status: RunStatus | None = None) -> list[Page[RepositoryRun]]:
    pages: list[Page[RepositoryRun]] = []
    cursor = None
    while not pages or cursor is not None:
        pages.append(await store.list_runs(job_id, status=status, limit=2, cursor=cursor))
        cursor = pages[-1].cursor
    return pages


async def test_jobs_are_listed_newest_first_page_by_page(job_store: JobStore) -> None:
    made = [await create(job_store) for _ in range(5)]

    pages = await all_jobs(job_store)

    assert [[job.id for job in page.items] for page in pages] == [
        [made[4].id, made[3].id],
        [made[2].id, made[1].id],
        [made[0].id],
    ]


async def test_a_last_page_that_is_full_has_no_cursor(job_store: JobStore) -> None:
    for _ in range(4):
        await create(job_store)

    assert [len(page.items) for page in await all_jobs(job_store)] == [2, 2]


async def test_there_may_be_no_job_at_all(job_store: JobStore) -> None:
    assert await all_jobs(job_store) == [Page(items=(), cursor=None)]


async def test_a_job_that_comes_meanwhile_does_not_move_the_next_page(job_store: JobStore) -> None:
    made = [await create(job_store) for _ in range(3)]
    first = await job_store.list_jobs(status=None, limit=2, cursor=None)

    await create(job_store)
    second = await job_store.list_jobs(status=None, limit=2, cursor=first.cursor)

    assert [job.id for job in second.items] == [made[0].id]


async def test_jobs_are_listed_by_status(job_store: JobStore) -> None:
    waiting = [await create(job_store) for _ in range(3)]
    running = await dispatched(job_store)

    pending = await all_jobs(job_store, status=JobStatus.PENDING)
    assert [job.id for page in pending for job in page.items] == [job.id for job in reversed(waiting)]
    [page] = await all_jobs(job_store, status=JobStatus.RUNNING)
    assert [job.id for job in page.items] == [running.id]
    assert await all_jobs(job_store, status=JobStatus.FAILED) == [Page(items=(), cursor=None)]


@pytest.mark.parametrize("cursor", GARBAGE)
async def test_a_cursor_that_the_store_did_not_make_is_refused(job_store: JobStore, cursor: str) -> None:
    job = await create(job_store)

    with pytest.raises(JobRejected, match="cursor"):
        await job_store.list_jobs(status=None, limit=1, cursor=cursor)
    with pytest.raises(JobRejected, match="cursor"):
        await job_store.list_runs(job.id, status=None, limit=1, cursor=cursor)


async def test_a_cursor_of_another_listing_is_refused(job_store: JobStore) -> None:
    job = await create(job_store)
    await create(job_store)
    of_jobs = (await job_store.list_jobs(status=None, limit=1, cursor=None)).cursor
    of_runs = (await job_store.list_runs(job.id, status=None, limit=1, cursor=None)).cursor
    assert of_jobs is not None
    assert of_runs is not None

    with pytest.raises(JobRejected, match="cursor"):
        await job_store.list_jobs(status=None, limit=1, cursor=of_runs)
    with pytest.raises(JobRejected, match="cursor"):
        await job_store.list_runs(job.id, status=None, limit=1, cursor=of_jobs)


async def test_runs_are_listed_in_the_order_of_the_request(job_store: JobStore) -> None:
    job = await create(job_store, ["z/z", "B/b", "a/a", "m/m", "b/b"])

    pages = await all_runs(job_store, job.id)

    assert [[run.repository for run in page.items] for page in pages] == [["z/z", "B/b"], ["a/a", "m/m"], ["b/b"]]


async def test_runs_are_listed_by_status(job_store: JobStore) -> None:
    job = await dispatched(job_store, 7)
    await do(job_store, job.id, {"owner/r5": failed(), "owner/r1": failed(), "owner/r3": failed()})

    pages = await all_runs(job_store, job.id, status=RunStatus.FAILED)

    assert [[run.repository for run in page.items] for page in pages] == [["owner/r1", "owner/r3"], ["owner/r5"]]


async def test_runs_are_counted_exactly_by_status_and_outcome(job_store: JobStore) -> None:
    job = await dispatched(job_store, 8)
    other = await create(job_store, 2)
    await do(job_store, job.id, {"owner/r0": PATCH, "owner/r1": PATCH, "owner/r2": NO_CHANGES, "owner/r3": failed()})
    await claim(job_store, job.id, "owner/r4")
    await claim(job_store, job.id, "owner/r5")
    await job_store.release_run(job.id, "owner/r5", owner="worker-1")

    counted = await job_store.count_runs([job.id, other.id, "job-unknown"])

    assert counted == {
        job.id: RunCounts(queued=1, dispatched=2, running=1, succeeded=3, failed=1, patches=2, no_changes=1),
        other.id: RunCounts(queued=2),
        "job-unknown": RunCounts(),
    }
    assert (counted[job.id].total, counted[job.id].unfinished) == (8, 4)


async def test_no_job_has_no_counts(job_store: JobStore) -> None:
    assert await job_store.count_runs([]) == {}


async def test_each_outcome_has_a_count_of_its_own(job_store: JobStore) -> None:
    job = await dispatched(job_store, 2)
    pull_request = type(PATCH)(outcome=RunOutcome.PULL_REQUEST, reason=None, files=PATCH.files)
    await do(job_store, job.id, {"owner/r0": pull_request, "owner/r1": ESTIMATED})

    assert (await job_store.count_runs([job.id]))[job.id] == RunCounts(succeeded=2, pull_requests=1, estimated=1)
    assert (await job_store.get_run(job.id, "owner/r1")).outcome is RunOutcome.ESTIMATED


async def test_a_repository_that_is_not_in_the_job_is_not_found(job_store: JobStore) -> None:
    job = await job_store.create_job(new_job(), names(1))

    for repository in ("owner/R0", "owner/r1", "", "\0"):
        with pytest.raises(RunNotFound):
            await job_store.get_run(job.id, repository)

import pytest

from cody_jobs.errors import IllegalTransition
from cody_jobs.models import FailureCode, JobStatus, RunCounts, RunOutcome, RunResult, RunStatus
from cody_jobs.ports import JobStore
from cody_jobs.run_filter import RunFilter
from tests.contract.jobs import ESTIMATED, NO_CHANGES, PATCH, create, dispatch, do, ended, failed, shards

pytestmark = pytest.mark.dozens_of_transactions

RESULTS: dict[str, RunResult] = {
    "acme/a": PATCH,
    "acme/b": NO_CHANGES,
    "acme/c": failed(),
    "other/d": failed(FailureCode.DISK_FULL),
    "other/e": NO_CHANGES,
    "other/f": failed(),
}


@pytest.mark.parametrize(
    ("runs", "taken"),
    [
        (RunFilter(), ["acme/c", "other/d", "other/f"]),
        (RunFilter(codes=(FailureCode.FILES_FAILED,)), ["acme/c", "other/f"]),
        (RunFilter(outcomes=(RunOutcome.NO_CHANGES,)), ["acme/b", "other/e"]),
        (RunFilter(repositories=("other/*",)), ["other/d", "other/f"]),
        (
            RunFilter(
                codes=(FailureCode.DISK_FULL,),
                outcomes=(RunOutcome.PATCH, RunOutcome.NO_CHANGES),
                repositories=("OTHER/*", "acme/a"),
            ),
            ["acme/a", "other/d", "other/e"],
        ),
    ],
)
async def test_only_the_runs_of_a_filter_are_queued_again(
    job_store: JobStore, runs: RunFilter, taken: list[str]
) -> None:
    job = await ended(job_store, RESULTS)
    before = {name: await job_store.get_run(job.id, name) for name in RESULTS}

    assert await job_store.retry_job(job.id, runs=runs) == len(taken)

    counts = (await job_store.count_runs([job.id]))[job.id]
    assert (counts.queued, counts.total) == (len(taken), 6)
    for name, was in before.items():
        run = await job_store.get_run(job.id, name)
        if name not in taken:
            assert run == was
            continue
        assert (run.status, run.outcome, run.reason, run.failure, run.shard) == (
            RunStatus.QUEUED,
            None,
            None,
            None,
            None,
        )
    assert await shards(job_store, job.id, await dispatch(job_store, job.id)) == [tuple(taken)]


async def test_succeeded_runs_that_run_again_are_counted_once(job_store: JobStore) -> None:
    job = await ended(job_store, {"acme/a": PATCH, "acme/b": NO_CHANGES})
    assert job.status is JobStatus.SUCCEEDED

    assert await job_store.retry_job(job.id, runs=RunFilter(outcomes=(RunOutcome.NO_CHANGES,)), prompt="better") == 1
    assert (await job_store.count_runs([job.id]))[job.id] == RunCounts(queued=1, succeeded=1, patches=1)
    await dispatch(job_store, job.id)
    await do(job_store, job.id, {"acme/b": PATCH})
    end = await job_store.end_shard(job.id, 2, 0)

    assert (end.job.status, end.job_ended_now, end.job.spec.prompt) == (JobStatus.SUCCEEDED, True, "better")
    assert (await job_store.count_runs([job.id]))[job.id] == RunCounts(succeeded=2, patches=2)


async def test_what_was_only_estimated_is_estimated_again_by_its_outcome(job_store: JobStore) -> None:
    job = await ended(job_store, {"acme/a": ESTIMATED, "acme/b": NO_CHANGES})

    assert await job_store.retry_job(job.id, runs=RunFilter(outcomes=(RunOutcome.ESTIMATED,))) == 1
    assert (await job_store.count_runs([job.id]))[job.id] == RunCounts(queued=1, succeeded=1, no_changes=1)


async def test_a_filter_that_takes_nothing_is_refused_and_changes_nothing(job_store: JobStore) -> None:
    job = await ended(job_store, RESULTS)

    with pytest.raises(IllegalTransition, match="filter"):
        await job_store.retry_job(job.id, runs=RunFilter(codes=(FailureCode.GUARD_HIT,)), prompt="better")

    assert await job_store.get_job(job.id) == job


async def test_cancelled_runs_that_were_never_dispatched_are_filtered_too(job_store: JobStore) -> None:
    job = await create(job_store, ["acme/a", "acme/b", "other/c", "other/d"])
    await job_store.stop_job(job.id, status=JobStatus.CANCELLED, failure=None)

    assert await job_store.retry_job(job.id, runs=RunFilter(repositories=("acme/*",))) == 2

    assert (await job_store.count_runs([job.id]))[job.id] == RunCounts(queued=2, cancelled=2)
    assert await shards(job_store, job.id, await dispatch(job_store, job.id)) == [("acme/a", "acme/b")]
    await do(job_store, job.id, {"acme/a": PATCH, "acme/b": PATCH})
    end = await job_store.end_shard(job.id, 1, 0)
    assert (end.job.status, end.job_ended_now) == (JobStatus.PARTIALLY_SUCCEEDED, True)
    assert (await job_store.get_run(job.id, "other/c")).status is RunStatus.CANCELLED


async def test_a_filtered_retry_can_be_cancelled_before_it_is_dispatched(job_store: JobStore) -> None:
    job = await create(job_store, ["acme/a", "acme/b", "other/c"])
    await job_store.stop_job(job.id, status=JobStatus.CANCELLED, failure=None)
    await job_store.retry_job(job.id, runs=RunFilter(repositories=("acme/*",)))

    await job_store.stop_job(job.id, status=JobStatus.CANCELLED, failure=None)

    assert (await job_store.count_runs([job.id]))[job.id] == RunCounts(cancelled=3)
    page = await job_store.list_runs(job.id, status=RunStatus.CANCELLED, limit=10, cursor=None)
    assert [run.repository for run in page.items] == ["acme/a", "acme/b", "other/c"]
    assert await job_store.retry_job(job.id) == 3
    assert await shards(job_store, job.id, await dispatch(job_store, job.id)) == [("acme/a", "acme/b", "other/c")]

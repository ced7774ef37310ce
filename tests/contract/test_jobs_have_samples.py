from datetime import timedelta

import pytest

from cody_jobs.errors import IllegalTransition
from cody_jobs.models import JobStatus, RunCounts, RunStatus
from cody_jobs.ports import JobStore
from tests.contract.conftest import SetStatusByHand
from tests.contract.jobs import (
    NO_CHANGES,
    OWNER,
    PATCH,
    claim,
    create,
    dispatch,
    do,
    failed,
    lose,
    names,
    pilot,
    sample_of,
    sampled,
    shards,
)

pytestmark = pytest.mark.dozens_of_transactions

NOW = timedelta(0)


async def waiting(store: JobStore) -> list[str]:
    return await store.list_jobs_to_dispatch(pending_for=NOW, limit=10)


async def test_the_pilot_gets_one_shard_of_repositories_from_the_whole_list(job_store: JobStore) -> None:
    job = await create(job_store, 40, sample=2)
    assert (job.sampling, job.sample, job.approved) == (True, (), False)

    attempt = await dispatch(job_store, job.id, per_shard=3)

    [pilots] = await shards(job_store, job.id, attempt)
    assert pilots == tuple(f"owner/r{number * 40 // 16}" for number in range(16))
    assert (await job_store.count_runs([job.id]))[job.id] == RunCounts(queued=24, dispatched=16)


async def test_nothing_else_is_dispatched_while_the_pilot_is_at_work(job_store: JobStore) -> None:
    job = await create(job_store, 20, sample=2)
    await dispatch(job_store, job.id)

    assert await job_store.begin_attempt(job.id, repositories_per_shard=3) is None
    assert await waiting(job_store) == []
    await claim(job_store, job.id, "owner/r0")
    assert await job_store.begin_attempt(job.id, repositories_per_shard=3) is None


async def test_a_sample_is_chosen_once(job_store: JobStore) -> None:
    job = await create(job_store, 20, sample=2)
    await dispatch(job_store, job.id)

    first = await job_store.record_sample(job.id, sample_of("owner/r0", "owner/r5"))
    second = await job_store.record_sample(job.id, sample_of("owner/r1"))

    assert first == second == sample_of("owner/r0", "owner/r5")
    assert (await job_store.get_job(job.id)).sample == first


async def test_no_sample_is_chosen_of_a_job_that_is_not_working_on_one(job_store: JobStore) -> None:
    whole = await create(job_store, 3)
    await dispatch(job_store, whole.id)
    pending = await create(job_store, 3, sample=1)
    approved = await sampled(job_store, {"owner/r0": PATCH})
    await job_store.approve_job(approved.id, prompt=None, again=False)
    await dispatch(job_store, approved.id)

    for job in (whole, pending, approved):
        with pytest.raises(IllegalTransition):
            await job_store.record_sample(job.id, sample_of("owner/r1"))


async def test_a_job_whose_sample_has_ended_awaits_approval_and_stands_still(job_store: JobStore) -> None:
    job = await create(job_store, 8, sample=2)
    await pilot(job_store, job.id, "owner/r0", "owner/r5")
    await do(job_store, job.id, {"owner/r0": PATCH})
    assert not (await job_store.end_shard(job.id, 1, 0)).awaits_approval_now
    await do(job_store, job.id, {"owner/r5": failed()})
    assert await job_store.list_jobs_to_settle(limit=10) == []

    end = await job_store.end_shard(job.id, 1, 0)

    assert (end.awaits_approval_now, end.job_ended_now) == (True, False)
    assert (end.job.status, end.job.ended_at, end.job.failure) == (JobStatus.AWAITING_APPROVAL, None, None)
    assert (await job_store.count_runs([job.id]))[job.id] == RunCounts(queued=6, succeeded=1, patches=1, failed=1)
    again = await job_store.end_shard(job.id, 1, 0)
    assert (again.awaits_approval_now, again.job) == (False, end.job)
    assert await waiting(job_store) == []
    assert await job_store.list_jobs_to_settle(limit=10) == []
    assert await job_store.list_open_shards(limit=10) == []
    assert await job_store.begin_attempt(job.id, repositories_per_shard=3) is None
    page = await job_store.list_jobs(status=JobStatus.AWAITING_APPROVAL, limit=10, cursor=None)
    assert [item.id for item in page.items] == [job.id]


async def test_a_sample_whose_worker_died_before_it_said_so_is_found(job_store: JobStore) -> None:
    job = await create(job_store, 8, sample=1)
    await pilot(job_store, job.id, "owner/r5")
    await do(job_store, job.id, {"owner/r5": PATCH})
    await job_store.recover_shard(job.id, 1, 0, failure=None)

    assert await job_store.list_jobs_to_settle(limit=10) == [(job.id, 1, 0)]
    assert (await job_store.end_shard(job.id, 1, 0)).awaits_approval_now


async def test_a_pilot_that_died_before_it_chose_is_followed_by_one_with_others(job_store: JobStore) -> None:
    job = await create(job_store, 40, sample=2)
    [first] = await shards(job_store, job.id, await dispatch(job_store, job.id))
    await job_store.recover_shard(job.id, 1, 0, failure=None)
    assert not (await job_store.end_shard(job.id, 1, 0)).awaits_approval_now
    assert await waiting(job_store) == [job.id]

    [second] = await shards(job_store, job.id, await dispatch(job_store, job.id))

    assert (len(first), len(second)) == (16, 8)
    assert not set(first) & set(second)


async def test_a_pilot_that_died_after_it_chose_is_followed_by_its_sample_alone(job_store: JobStore) -> None:
    job = await create(job_store, 20, sample=2)
    attempt = await dispatch(job_store, job.id)
    assert len((await job_store.get_shard(job.id, attempt.number, 0)).repositories) == 16
    await job_store.record_sample(job.id, sample_of("owner/r0", "owner/r5"))
    await lose(job_store, job.id, "owner/r0")
    assert await waiting(job_store) == [job.id]

    again = await dispatch(job_store, job.id)

    assert await shards(job_store, job.id, again) == [("owner/r5",), ("owner/r0",)]
    await do(job_store, job.id, {"owner/r0": PATCH, "owner/r5": PATCH})
    ends = [await job_store.end_shard(job.id, 2, index) for index in range(2)]
    assert sum(end.awaits_approval_now for end in ends) == 1
    assert ends[-1].job.status is JobStatus.AWAITING_APPROVAL


async def test_a_job_all_of_whose_runs_ended_in_its_sample_ends(job_store: JobStore) -> None:
    job = await create(job_store, 2, sample=5)
    await pilot(job_store, job.id, "owner/r0", "owner/r1")
    await do(job_store, job.id, {"owner/r0": PATCH, "owner/r1": NO_CHANGES})

    end = await job_store.end_shard(job.id, 1, 0)

    assert (end.job_ended_now, end.awaits_approval_now, end.job.status) == (True, False, JobStatus.SUCCEEDED)


async def test_a_job_that_awaits_approval_can_be_cancelled_and_goes_on_with_its_sample_when_retried(
    job_store: JobStore,
) -> None:
    job = await sampled(job_store, {"owner/r0": PATCH, "owner/r5": failed()})

    end = await job_store.stop_job(job.id, status=JobStatus.CANCELLED, failure=None)

    assert (end.job.status, end.job_ended_now, end.awaits_approval_now) == (JobStatus.CANCELLED, True, False)
    assert (await job_store.count_runs([job.id]))[job.id] == RunCounts(succeeded=1, patches=1, failed=1, cancelled=6)
    assert await job_store.retry_job(job.id) == 7
    assert await shards(job_store, job.id, await dispatch(job_store, job.id)) == [("owner/r5",)]


async def test_an_operator_who_sets_a_waiting_job_back_approves_nothing(
    job_store: JobStore, set_status_by_hand: SetStatusByHand
) -> None:
    job = await sampled(job_store, {"owner/r0": PATCH})
    await set_status_by_hand(job.id, JobStatus.PENDING)

    assert await job_store.begin_attempt(job.id, repositories_per_shard=3) is None
    assert await job_store.list_jobs_to_settle(limit=10) == [(job.id, 1, 0)]
    assert (await job_store.end_shard(job.id, 1, 0)).awaits_approval_now


async def test_an_approved_job_goes_on_with_the_rest_and_ends(job_store: JobStore) -> None:
    job = await sampled(job_store, {"owner/r0": PATCH, "owner/r5": failed()}, repositories=7)

    approved = await job_store.approve_job(job.id, prompt=None, again=False)

    assert (approved.now, approved.runs, approved.job.status) == (True, 0, JobStatus.PENDING)
    assert (approved.job.sampling, approved.job.approved) == (False, True)
    assert await waiting(job_store) == [job.id]
    rest = ("owner/r1", "owner/r2", "owner/r3", "owner/r4", "owner/r6")
    assert await shards(job_store, job.id, await dispatch(job_store, job.id)) == [rest]
    await do(job_store, job.id, dict.fromkeys(rest, PATCH))
    end = await job_store.end_shard(job.id, 2, 0)
    assert (end.job.status, end.job_ended_now) == (JobStatus.PARTIALLY_SUCCEEDED, True)


async def test_the_same_approval_again_changes_nothing_and_another_is_refused(job_store: JobStore) -> None:
    job = await sampled(job_store, {"owner/r0": PATCH})
    first = await job_store.approve_job(job.id, prompt="better", again=False)
    await dispatch(job_store, job.id)

    second = await job_store.approve_job(job.id, prompt="better", again=False)

    assert (first.now, second.now, second.job.status) == (True, False, JobStatus.RUNNING)
    assert (second.job.spec.prompt, len(second.job.former_prompts)) == ("better", 1)
    for prompt, again in ((None, False), ("better", True), ("other", False)):
        with pytest.raises(IllegalTransition):
            await job_store.approve_job(job.id, prompt=prompt, again=again)


async def test_only_a_job_that_awaits_approval_is_approved(
    job_store: JobStore, set_status_by_hand: SetStatusByHand
) -> None:
    for present in set(JobStatus) - {JobStatus.AWAITING_APPROVAL}:
        job = await create(job_store, 1, sample=1)
        await set_status_by_hand(job.id, present)
        with pytest.raises(IllegalTransition):
            await job_store.approve_job(job.id, prompt=None, again=False)
        assert (await job_store.get_job(job.id)).status is present


async def test_an_amended_prompt_replaces_the_old_one_which_stays_visible(job_store: JobStore) -> None:
    job = await sampled(job_store, {"owner/r0": PATCH, "owner/r5": failed(), "owner/r7": NO_CHANGES})

    approved = await job_store.approve_job(job.id, prompt="better\0", again=False)

    assert approved.job.spec.prompt == "better\0"
    assert [former.prompt for former in approved.job.former_prompts] == [job.spec.prompt]
    assert approved.job.spec.include == job.spec.include
    assert approved.runs == 1
    assert [(await job_store.get_run(job.id, f"owner/r{number}")).status for number in (0, 5, 7)] == [
        RunStatus.SUCCEEDED,
        RunStatus.QUEUED,
        RunStatus.SUCCEEDED,
    ]
    assert (await job_store.get_job(job.id)).former_prompts == approved.job.former_prompts


async def test_an_approval_may_queue_the_whole_sample_again(job_store: JobStore) -> None:
    job = await sampled(job_store, {"owner/r0": PATCH, "owner/r5": failed(), "owner/r7": NO_CHANGES})

    approved = await job_store.approve_job(job.id, prompt="better", again=True)

    assert approved.runs == 3
    assert (await job_store.count_runs([job.id]))[job.id] == RunCounts(queued=8)
    attempt = await dispatch(job_store, job.id, per_shard=8)
    assert await shards(job_store, job.id, attempt) == [tuple(names(8))]


async def test_a_sample_is_tuned_until_it_is_right(job_store: JobStore) -> None:
    job = await sampled(job_store, {"owner/r0": PATCH, "owner/r5": failed()})

    assert await job_store.retry_job(job.id, prompt="better") == 2
    assert await shards(job_store, job.id, await dispatch(job_store, job.id)) == [("owner/r0", "owner/r5")]
    await do(job_store, job.id, {"owner/r0": PATCH, "owner/r5": NO_CHANGES})
    end = await job_store.end_shard(job.id, 2, 0)

    assert (end.awaits_approval_now, end.job.spec.prompt) == (True, "better")
    assert (await job_store.count_runs([job.id]))[job.id] == RunCounts(queued=6, succeeded=2, patches=1, no_changes=1)
    assert await job_store.retry_job(job.id, prompt="best") == 2
    prompts = [former.prompt for former in (await job_store.get_job(job.id)).former_prompts]
    assert prompts == [job.spec.prompt, "better"]


async def test_a_run_of_the_sample_that_was_given_back_is_dispatched_before_anybody_approves(
    job_store: JobStore,
) -> None:
    job = await create(job_store, 8, sample=1)
    await pilot(job_store, job.id, "owner/r5")
    await claim(job_store, job.id, "owner/r5")
    await job_store.release_run(job.id, "owner/r5", owner=OWNER)

    end = await job_store.end_shard(job.id, 1, 0)

    assert (end.job.status, end.awaits_approval_now) == (JobStatus.RUNNING, False)
    assert await waiting(job_store) == [job.id]
    assert await shards(job_store, job.id, await dispatch(job_store, job.id)) == [("owner/r5",)]

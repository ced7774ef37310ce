"""One plan for each job, made by one worker, and paid for once."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from cody_jobs.errors import ResultNotFound
from cody_jobs.events import EventBody, PlanEdited, PlanMade
from cody_jobs.models import Failure, FailureCode
from cody_jobs.plan import PLAN_REPOSITORY, Example, JobPlan, Plan, PlanSource, Precondition
from cody_jobs.planning import FailedPlan, KnownPlan, PlanClaim, PlanRecord
from cody_jobs.ports import ResultStore
from tests.contract.results import JOB, OTHER_JOB, call, question, thread

PLAN = Plan(
    include=("*.py",),
    languages=("python",),
    matches=(r"a\0b",),
    leave_alone=(Precondition(reason="it is \0 done", paths=("setup.py",), missing=True),),
    example=Example(before="a", after="b"),
)
OTHER_PLAN = Plan(include=("*.md",))
LEASE, NO_LEASE = timedelta(hours=1), timedelta(0)
FAILURE = Failure(code=FailureCode.PLAN_FAILED, message="no \ufffd plan", retryable=True)
RECORD = PlanRecord(
    job_id=JOB,
    plan=PLAN,
    source=PlanSource.CLAUDE,
    model="claude-x",
    question=question("plan"),
    calls=(call(),),
    thread=thread("plan"),
)
REUSED = PlanRecord(
    job_id=OTHER_JOB,
    plan=PLAN,
    source=PlanSource.CLAUDE,
    model="claude-x",
    question=question("plan"),
    reused_from=JOB,
)


async def claim(
    store: ResultStore, owner: str = "one", *, asked: str = "plan", attempt: int = 1, lease: timedelta = LEASE
) -> PlanClaim:
    return await store.claim_plan(JOB, question=question(asked), owner=owner, attempt=attempt, lease=lease)


async def events(store: ResultStore, job_id: str = JOB) -> list[EventBody]:
    return [event.body for event in await store.read_events(job_id, after=0, limit=100)]


async def test_one_worker_makes_the_plan_and_the_others_wait_for_it(result_store: ResultStore) -> None:
    assert await claim(result_store) == PlanClaim(ours=True)
    assert await claim(result_store, "two") == PlanClaim()
    kept = await result_store.keep_plan(RECORD)
    assert (kept.plan, kept.source, kept.model, kept.reused_from) == (PLAN, PlanSource.CLAUDE, "claude-x", None)
    assert await claim(result_store, "two") == PlanClaim(made=kept)
    assert await result_store.get_plan(JOB) == kept
    assert await result_store.get_plan_thread(JOB) == thread("plan")
    assert await events(result_store) == [
        PlanMade(source=PlanSource.CLAUDE, model="claude-x", reused=False, cost_microusd=100)
    ]


async def test_the_plan_of_a_worker_that_is_gone_is_taken_over(result_store: ResultStore) -> None:
    await claim(result_store, lease=NO_LEASE)
    assert await claim(result_store, "two") == PlanClaim(ours=True)
    assert not await result_store.renew_plan_claim(JOB, owner="one", lease=LEASE)
    assert await result_store.renew_plan_claim(JOB, owner="two", lease=LEASE)


async def test_a_worker_that_comes_late_learns_which_plan_holds_and_its_money_is_counted(
    result_store: ResultStore,
) -> None:
    await claim(result_store, lease=NO_LEASE)
    await claim(result_store, "two")
    first = await result_store.keep_plan(RECORD)
    late = replace(RECORD, plan=OTHER_PLAN, calls=(call(1),))
    assert await result_store.keep_plan(late) == first
    assert (await result_store.usage(JOB)).calls == 2
    assert (await result_store.usage(JOB, PLAN_REPOSITORY)).cost_microusd == 200
    assert len(await events(result_store)) == 1


async def test_a_plan_that_failed_is_not_tried_again_in_the_same_attempt(result_store: ResultStore) -> None:
    await claim(result_store)
    failed = FailedPlan(
        job_id=JOB, owner="one", attempt=1, failure=replace(FAILURE, message="no \0 plan"), calls=(call(),),
        thread=thread("plan"),
    )  # fmt: skip
    await result_store.fail_plan(failed)
    assert await claim(result_store, "two") == PlanClaim(failure=FAILURE)
    assert await result_store.get_plan_thread(JOB) == thread("plan")
    assert (await result_store.usage(JOB)).calls == 1
    with pytest.raises(ResultNotFound, match="no \ufffd plan"):
        await result_store.get_plan(JOB)
    assert await claim(result_store, "two", attempt=2) == PlanClaim(ours=True)


async def test_a_claim_that_is_given_up_is_anybodys(result_store: ResultStore) -> None:
    await claim(result_store)
    await result_store.fail_plan(FailedPlan(job_id=JOB, owner="one", attempt=1, failure=None))
    assert await claim(result_store, "two") == PlanClaim(ours=True)


async def test_who_lost_the_claim_cannot_fail_the_plan_of_another(result_store: ResultStore) -> None:
    await claim(result_store, lease=NO_LEASE)
    await claim(result_store, "two")
    await result_store.fail_plan(FailedPlan(job_id=JOB, owner="one", attempt=1, failure=FAILURE))
    assert await result_store.renew_plan_claim(JOB, owner="two", lease=LEASE)


async def test_a_plan_is_found_again_by_its_question_with_its_conversation(result_store: ResultStore) -> None:
    assert await result_store.find_plan(question("plan")) is None
    await result_store.keep_plan(RECORD)
    await result_store.forget_jobs([JOB])
    assert await result_store.find_plan(question("plan")) == KnownPlan(plan=PLAN, model="claude-x", job_id=JOB)
    kept = await result_store.keep_plan(REUSED)
    assert kept.reused_from == JOB
    assert await result_store.get_plan_thread(OTHER_JOB) == thread("plan")
    assert (await result_store.usage(OTHER_JOB)).calls == 0
    assert await result_store.forget_outcomes(unused_for=NO_LEASE) == 1
    assert await result_store.find_plan(question("plan")) is None


async def test_a_plan_that_somebody_wrote_takes_the_place_of_any_other(result_store: ResultStore) -> None:
    await result_store.keep_plan(RECORD)
    edited = await result_store.put_plan(JOB, OTHER_PLAN, by="ada")
    assert (edited.plan, edited.source) == (OTHER_PLAN, PlanSource.EDITED)
    assert await claim(result_store) == PlanClaim(made=edited)
    assert await result_store.get_plan_thread(JOB) == thread("plan")
    assert (await events(result_store))[-1] == PlanEdited(by="ada")
    assert await result_store.find_plan(question("plan")) == KnownPlan(plan=PLAN, model="claude-x", job_id=JOB)


async def test_an_amended_prompt_gets_a_plan_of_its_own(result_store: ResultStore) -> None:
    await result_store.keep_plan(RECORD)
    assert await claim(result_store, asked="amended") == PlanClaim(ours=True)
    kept = await result_store.keep_plan(replace(RECORD, plan=OTHER_PLAN, question=question("amended")))
    assert await claim(result_store, asked="amended") == PlanClaim(made=kept)
    assert kept.plan == OTHER_PLAN
    edited = await result_store.put_plan(JOB, PLAN, by="ada")
    assert await claim(result_store, asked="amended again") == PlanClaim(made=edited)


async def test_a_plan_can_be_written_before_any_worker_comes(result_store: ResultStore) -> None:
    with pytest.raises(ResultNotFound, match="not made yet"):
        await result_store.get_plan(JOB)
    edited: JobPlan = await result_store.put_plan(JOB, PLAN, by="ada")
    assert await claim(result_store) == PlanClaim(made=edited)
    with pytest.raises(ResultNotFound, match="nobody was asked"):
        await result_store.get_plan_thread(JOB)


async def test_a_forgotten_job_has_no_plan(result_store: ResultStore) -> None:
    await result_store.keep_plan(RECORD)
    await result_store.forget_jobs([JOB])
    assert await result_store.list_job_ids(after=None, limit=10) == []
    with pytest.raises(ResultNotFound):
        await result_store.get_plan(JOB)

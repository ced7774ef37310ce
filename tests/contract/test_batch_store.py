"""What goes to Claude in a batch is written down before it is sent, and belongs to one submission at a time."""

import asyncio
from datetime import timedelta

import pytest
from msgspec.structs import replace

from cody_backends.postgres.batch_store import PostgresBatchStore
from cody_backends.postgres.database import Database
from cody_backends.postgres.result_store import PostgresResultStore
from cody_jobs.events import JobRetried
from cody_jobs.ports.batch_store import BatchStore, call_id
from tests.contract.results import JOB, call, record

MINUTE, OVER = timedelta(minutes=1), timedelta(seconds=-1)


async def intend(
    store: BatchStore,
    submission_id: str,
    *custom_ids: str,
    owner: str = "worker-1",
    lease: timedelta = MINUTE,
    round_number: int = 0,
) -> dict[str, str]:
    return dict(
        await store.intend(
            submission_id,
            job_id=JOB,
            round_number=round_number,
            owner=owner,
            lease=lease,
            custom_ids=custom_ids,
        )
    )


async def test_a_request_belongs_to_the_first_submission_that_names_it(batch_store: BatchStore) -> None:
    assert await intend(batch_store, "one", "a", "b") == {"a": "one", "b": "one"}
    assert await intend(batch_store, "two", "b", "c") == {"b": "one", "c": "two"}
    assert (await found(batch_store, "one")).custom_ids == ("a", "b")
    assert (await found(batch_store, "two")).custom_ids == ("c",)


async def test_a_submission_that_gets_nothing_is_none(batch_store: BatchStore) -> None:
    await intend(batch_store, "one", "a")
    assert await intend(batch_store, "two", "a") == {"a": "one"}
    assert await batch_store.find("two") is None


async def test_of_many_who_intend_the_same_each_request_has_one_submission(batch_store: BatchStore) -> None:
    names = [str(number) for number in range(8)]
    answers = await asyncio.gather(*(intend(batch_store, name, "a", "b", "c", owner=name) for name in names))
    assert all(answer == answers[0] for answer in answers)


async def test_the_batch_that_is_told_first_stays(batch_store: BatchStore) -> None:
    await intend(batch_store, "one", "a")
    assert (await found(batch_store, "one")).batch_id is None
    await batch_store.sent("one", "batch-1")
    await batch_store.sent("one", "batch-2")
    assert (await found(batch_store, "one")).batch_id == "batch-1"
    assert await batch_store.known(["batch-1", "batch-2"]) == {"batch-1"}


async def test_a_submission_without_a_batch_is_taken_over_only_when_its_lease_is_over(batch_store: BatchStore) -> None:
    await intend(batch_store, "held", "a")
    await intend(batch_store, "left", "b", lease=OVER)
    assert not await batch_store.claim("held", owner="worker-2", lease=MINUTE)
    assert await batch_store.claim("held", owner="worker-1", lease=MINUTE)
    assert await batch_store.claim("left", owner="worker-2", lease=MINUTE)
    assert not await batch_store.claim("left", owner="worker-3", lease=MINUTE)
    assert not await batch_store.claim("unknown", owner="worker-1", lease=MINUTE)


async def test_a_submission_that_was_sent_is_not_taken_over(batch_store: BatchStore) -> None:
    await intend(batch_store, "one", "a", lease=OVER)
    await batch_store.sent("one", "batch-1")
    assert not await batch_store.claim("one", owner="worker-2", lease=MINUTE)


async def test_what_is_taken_back_is_free(batch_store: BatchStore) -> None:
    await intend(batch_store, "one", "a")
    await batch_store.take_back("one", owner="worker-2")
    assert await intend(batch_store, "two", "a") == {"a": "one"}
    await batch_store.take_back("one", owner="worker-1")
    assert await intend(batch_store, "two", "a") == {"a": "two"}
    await batch_store.sent("two", "batch-2")
    await batch_store.take_back("two", owner="worker-1")
    assert await intend(batch_store, "three", "a") == {"a": "two"}


async def test_what_got_no_answer_is_free_and_the_rest_is_not(batch_store: BatchStore) -> None:
    await intend(batch_store, "one", "a", "b")
    await batch_store.sent("one", "batch-1")
    await batch_store.leave_out("one", ["a"])
    assert await intend(batch_store, "two", "a", "b") == {"a": "two", "b": "one"}
    await batch_store.leave_out("one", ["a"])
    assert await intend(batch_store, "three", "a") == {"a": "two"}


async def test_batches_are_open_until_they_have_ended(batch_store: BatchStore) -> None:
    await intend(batch_store, "one", "a")
    await intend(batch_store, "two", "b")
    assert await batch_store.open_batches(JOB) == []
    await batch_store.sent("one", "batch-1")
    await batch_store.sent("two", "batch-2")
    await batch_store.ended("one")
    assert await batch_store.open_batches(JOB) == ["batch-2"]
    assert await batch_store.open_batches("another job") == []


async def test_a_round_begins_when_the_job_is_retried(
    batch_store: BatchStore, result_store: PostgresResultStore
) -> None:
    assert await batch_store.round_of(JOB) == 0
    await result_store.append_events(JOB, [JobRetried(runs=1)])
    assert await batch_store.round_of(JOB) == 1


async def test_an_answer_that_was_recorded_is_used_again_only_within_its_round(
    batch_store: BatchStore, result_store: PostgresResultStore
) -> None:
    await intend(batch_store, "one", "recorded", "unrecorded")
    await batch_store.sent("one", "batch-1")
    await result_store.record_file(record(calls=(replace(call(), request_id=call_id("batch-1", "recorded")),)))
    both = ["recorded", "unrecorded", "unknown"]
    assert await batch_store.held(JOB, both, round_number=0) == {"recorded", "unrecorded"}
    assert await batch_store.held(JOB, both, round_number=1) == {"unrecorded"}
    assert await intend(batch_store, "two", "recorded", "unrecorded") == {"recorded": "one", "unrecorded": "one"}
    assert await intend(batch_store, "three", "recorded", "unrecorded", round_number=1) == {
        "recorded": "three",
        "unrecorded": "one",
    }


async def test_it_is_forgotten_with_its_job(batch_store: BatchStore, result_store: PostgresResultStore) -> None:
    await intend(batch_store, "one", "a")
    assert await result_store.list_job_ids(after=None, limit=10) == [JOB]
    await result_store.forget_jobs([JOB])
    assert await batch_store.find("one") is None
    assert await result_store.list_job_ids(after=None, limit=10) == []


async def found(store: BatchStore, submission_id: str):
    submission = await store.find(submission_id)
    assert submission is not None
    return submission


@pytest.fixture
def result_store(database: Database) -> PostgresResultStore:
    return PostgresResultStore(database)


@pytest.fixture(params=["database", "forgetful_database"])
def batch_store(request: pytest.FixtureRequest) -> PostgresBatchStore:
    return PostgresBatchStore(request.getfixturevalue(request.param))

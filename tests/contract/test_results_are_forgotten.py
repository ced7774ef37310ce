"""What old results leave behind, and what nobody needs any more."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from cody_backends.postgres.database import Database
from cody_jobs.events import JobCreated
from cody_jobs.ports import ResultStore
from cody_jobs.reports import RunReport
from tests.contract.results import (
    JOB,
    OTHER_JOB,
    REPOSITORY,
    patch,
    question,
    record,
    reused,
    span,
    thread,
    threads,
)

NOW, MONTH, YEAR = timedelta(0), timedelta(days=30), timedelta(days=365)
Age = Callable[[timedelta], Awaitable[None]]


@pytest.fixture
def age(database: Database) -> Age:
    """All that is known was written that much earlier."""

    async def let_pass(time: timedelta) -> None:
        async with database.connection() as connection:
            await connection.execute("UPDATE known_outcomes SET at = at - $1::interval", time)

    return let_pass


@pytest.fixture
def kept_conversations(database: Database) -> Callable[[], Awaitable[int]]:
    async def count() -> int:
        async with database.connection() as connection:
            return await connection.fetchval("SELECT count(*) FROM threads")

    return count


async def known(store: ResultStore, *paths: str) -> set[str]:
    found = await store.find_outcomes([question(path) for path in paths])
    return {path for path in paths if question(path) in found}


async def test_an_answer_that_nobody_used_for_long_is_forgotten_with_its_conversation(
    result_store: ResultStore, age: Age, kept_conversations: Callable[[], Awaitable[int]]
) -> None:
    await result_store.record_file(record("old.py"))
    await result_store.record_file(record("silent.py", said=None))
    await age(MONTH)
    await result_store.record_file(record("young.py"))
    await result_store.forget_jobs([JOB])

    assert await result_store.forget_outcomes(unused_for=YEAR) == 0
    assert await kept_conversations() == 2
    assert await result_store.forget_outcomes(unused_for=MONTH) == 2

    assert await known(result_store, "old.py", "silent.py", "young.py") == {"young.py"}
    assert await kept_conversations() == 1
    assert await result_store.forget_outcomes(unused_for=MONTH) == 0


async def test_an_answer_whose_conversation_a_job_shows_is_kept(result_store: ResultStore) -> None:
    await result_store.record_file(record())
    await result_store.record_file(reused())
    await result_store.forget_jobs([JOB])

    assert await result_store.forget_outcomes(unused_for=NOW) == 0
    assert await known(result_store, "a.py") == {"a.py"}
    assert await threads(result_store, OTHER_JOB) == (thread("a.py"),)

    await result_store.forget_jobs([OTHER_JOB])
    assert await result_store.forget_outcomes(unused_for=NOW) == 1


async def test_an_answer_that_is_used_again_is_as_good_as_new(result_store: ResultStore, age: Age) -> None:
    await result_store.record_file(record("used.py"))
    await result_store.record_file(record("unused.py"))
    await age(MONTH)
    await result_store.record_file(reused("used.py"))
    await result_store.forget_jobs([JOB, OTHER_JOB])

    assert await result_store.forget_outcomes(unused_for=MONTH) == 1
    assert await known(result_store, "used.py", "unused.py") == {"used.py"}


async def test_more_answers_than_fit_into_one_portion_are_forgotten(
    result_store: ResultStore, database: Database
) -> None:
    async with database.connection() as connection:
        await connection.execute(
            """
            INSERT INTO known_outcomes (question, outcome, job_id)
            SELECT 'q' || n, '', 'j' FROM generate_series(1, 12000) AS n
            """
        )

    assert await result_store.forget_outcomes(unused_for=NOW) == 12_000


async def test_every_job_that_something_is_kept_of_is_listed_page_by_page(result_store: ResultStore) -> None:
    await result_store.record_file(record(job_id="job-1"))
    await result_store.append_events("job-2", [JobCreated(repositories=1)] * 3)
    await result_store.put_patch("job-3", REPOSITORY, patch())
    await result_store.append_spans([span(0, job_id="job-4")])
    await result_store.claim_plan("job-5", question="q", owner="worker", attempt=1, lease=MONTH)
    await result_store.put_report("job-6", REPOSITORY, RunReport())

    assert await result_store.list_job_ids(after=None, limit=2) == ["job-1", "job-2"]
    assert await result_store.list_job_ids(after="job-2", limit=2) == ["job-3", "job-5"]
    assert await result_store.list_job_ids(after="job-5", limit=2) == ["job-6"]


async def test_a_forgotten_job_is_listed_no_more(result_store: ResultStore) -> None:
    await result_store.record_file(record())
    await result_store.put_patch(JOB, REPOSITORY, patch())
    await result_store.record_file(record(job_id=OTHER_JOB))

    await result_store.forget_jobs([JOB])

    assert await result_store.list_job_ids(after=None, limit=10) == [OTHER_JOB]

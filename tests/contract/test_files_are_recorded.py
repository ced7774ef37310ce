import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from cody_jobs.errors import JobRejected, ResultNotFound
from cody_jobs.events import FileDone
from cody_jobs.models import Page
from cody_jobs.outcomes import Answered, FileOutcome, FileResult, KnownOutcome, UsageTotals
from cody_jobs.ports import ResultStore
from tests.contract.results import (
    CHANGED_MORE,
    EDITED,
    GAVE_UP,
    JOB,
    LEFT_ALONE,
    OTHER_JOB,
    OTHER_REPOSITORY,
    REPORTED,
    REPOSITORY,
    call,
    patch,
    question,
    record,
    reused,
    thread,
    threads,
)


async def files(store: ResultStore, job_id: str = JOB, repository: str = REPOSITORY) -> tuple[FileResult, ...]:
    return (await store.list_files(job_id, repository, limit=100, cursor=None)).items


async def test_a_store_that_answers_can_be_pinged(result_store: ResultStore) -> None:
    await result_store.ping()


@pytest.mark.parametrize("outcome", [EDITED, CHANGED_MORE, LEFT_ALONE, REPORTED, GAVE_UP])
async def test_a_recorded_file_is_kept_as_it_was(result_store: ResultStore, outcome: FileOutcome) -> None:
    await result_store.record_file(record(outcome=outcome, calls=[call(0, cost=3), call(1, cost=4)]))

    [found] = await files(result_store)
    assert (found.path, found.outcome, found.reused_from, found.cost_microusd) == ("a.py", outcome, None, 7)
    assert abs(datetime.now(UTC) - found.at) < timedelta(minutes=5)
    assert await threads(result_store) == (thread("a.py"),)


@pytest.mark.parametrize(
    ("outcome", "result", "detail"),
    [
        (EDITED, "edited", None),
        (LEFT_ALONE, "unchanged", LEFT_ALONE.reason),
        (REPORTED, "reported", REPORTED.reason),
        (GAVE_UP, "failed", "it would not"),
    ],
)
async def test_a_recorded_file_is_an_event(
    result_store: ResultStore, outcome: FileOutcome, result: str, detail: str | None
) -> None:
    await result_store.record_file(record(outcome=outcome, calls=[call(0, cost=3), call(1, cost=4)]))

    [event] = await result_store.read_events(JOB, after=0, limit=10)
    assert event.body == FileDone(
        repository=REPOSITORY, path="a.py", result=result, detail=detail, reused=False, cost_microusd=7
    )


async def test_nothing_of_a_file_is_stored_when_a_part_cannot_be(result_store: ResultStore) -> None:
    too_much = call(cost=2**70)

    with pytest.raises(Exception, match=r"int64|range|overflow"):
        await result_store.record_file(record(calls=[too_much]))

    assert await files(result_store) == ()
    assert await threads(result_store) == ()
    assert await result_store.find_outcomes([question("a.py")]) == {}
    assert await result_store.read_events(JOB, after=0, limit=1) == []


@pytest.mark.parametrize("outcome", [EDITED, CHANGED_MORE, LEFT_ALONE, REPORTED])
async def test_an_answer_is_found_by_its_question(result_store: ResultStore, outcome: Answered) -> None:
    await result_store.record_file(record(outcome=outcome))

    found = await result_store.find_outcomes([question("b.py"), question("a.py")])

    assert found == {question("a.py"): KnownOutcome(outcome=outcome, job_id=JOB)}


async def test_a_failure_is_not_an_answer(result_store: ResultStore) -> None:
    await result_store.record_file(record(outcome=GAVE_UP))
    assert await result_store.find_outcomes([question("a.py")]) == {}

    await result_store.record_file(record(outcome=EDITED))
    await result_store.record_file(record(outcome=GAVE_UP, job_id=OTHER_JOB))
    assert list(await result_store.find_outcomes([question("a.py")])) == [question("a.py")]


async def test_ten_thousand_questions_are_asked_at_once(result_store: ResultStore) -> None:
    await result_store.record_file(record("7"))

    found = await result_store.find_outcomes([question(str(number)) for number in range(10_000)])

    assert list(found) == [question("7")]
    assert await result_store.find_outcomes([]) == {}


async def test_a_file_that_is_recorded_again_is_replaced_and_its_usage_added(result_store: ResultStore) -> None:
    await result_store.record_file(record(outcome=GAVE_UP, calls=[call(0, cost=3)], said="first"))
    await result_store.record_file(record(outcome=EDITED, calls=[call(1, cost=4)], said="second"))

    [found] = await files(result_store)
    assert (found.outcome, found.cost_microusd) == (EDITED, 7)
    assert await threads(result_store) == (thread("a.py", "second"),)
    assert (await result_store.usage(JOB)).calls == 2
    assert len(await result_store.read_events(JOB, after=0, limit=10)) == 2


async def test_the_same_calls_told_twice_are_counted_once(result_store: ResultStore) -> None:
    twice = record(calls=[call(0), call(1)])

    await result_store.record_file(twice)
    await result_store.record_file(twice)

    assert await result_store.usage(JOB) == UsageTotals(
        calls=2,
        input_tokens=20,
        output_tokens=40,
        cache_creation_input_tokens=60,
        cache_read_input_tokens=80,
        cost_microusd=200,
    )
    assert len(await threads(result_store)) == 1


async def test_calls_without_a_request_id_at_the_same_time_are_all_counted(result_store: ResultStore) -> None:
    calls = [call(request_id=None), call(request_id=None), call(request_id=None)]
    await result_store.record_file(record(calls=calls))
    await result_store.record_file(record(calls=calls))

    assert (await result_store.usage(JOB)).calls == 3


async def test_usage_is_told_of_a_job_and_of_a_repository(result_store: ResultStore) -> None:
    await result_store.record_file(record("a.py", calls=[call(0, cost=1)]))
    await result_store.record_file(record("b.py", calls=[call(0, cost=2), call(1, cost=4)]))
    await result_store.record_file(record(repository=OTHER_REPOSITORY, calls=[call(cost=8)]))
    await result_store.record_file(record(job_id=OTHER_JOB, calls=[call(cost=16)]))

    assert (await result_store.usage(JOB)).cost_microusd == 15
    assert (await result_store.usage(JOB, REPOSITORY)).cost_microusd == 7
    assert (await result_store.usage(JOB, REPOSITORY)).calls == 3
    assert await result_store.usage(JOB, "owner/none") == UsageTotals()
    assert await result_store.usage("job-unknown") == UsageTotals()


async def test_files_are_listed_by_path_page_by_page(result_store: ResultStore) -> None:
    paths = ["b/a.py", "B.py", "a.py", "ä.py", "b.py"]
    for path in paths:
        await result_store.record_file(record(path))

    pages: list[Page[FileResult]] = []
    while not pages or pages[-1].cursor:
        cursor = pages[-1].cursor if pages else None
        pages.append(await result_store.list_files(JOB, REPOSITORY, limit=2, cursor=cursor))

    assert [[file.path for file in page.items] for page in pages] == [["B.py", "a.py"], ["b.py", "b/a.py"], ["ä.py"]]


async def test_threads_are_listed_by_path_page_by_page(result_store: ResultStore) -> None:
    for path in ("c", "a", "b"):
        await result_store.record_file(record(path))
    await result_store.record_file(record("aa", said=None))

    first = await result_store.list_threads(JOB, REPOSITORY, limit=2, cursor=None)
    second = await result_store.list_threads(JOB, REPOSITORY, limit=2, cursor=first.cursor)

    assert [found.path for found in first.items] == ["a", "b"]
    assert ([found.path for found in second.items], second.cursor) == (["c"], None)


async def test_what_is_not_there_has_no_files_and_no_threads(result_store: ResultStore) -> None:
    await result_store.record_file(record())

    for job_id, repository in (("job-unknown", REPOSITORY), (JOB, OTHER_REPOSITORY), ("\0", "\0")):
        assert await files(result_store, job_id, repository) == ()
        assert await threads(result_store, job_id, repository) == ()


@pytest.mark.parametrize("cursor", ["", "x", "é", "bnVsbA", "eyJvZiI6InJ1bnMiLCJwb3NpdGlvbiI6MX0"])
async def test_a_cursor_that_the_store_did_not_make_is_refused(result_store: ResultStore, cursor: str) -> None:
    with pytest.raises(JobRejected, match="cursor"):
        await result_store.list_files(JOB, REPOSITORY, limit=1, cursor=cursor)
    with pytest.raises(JobRejected, match="cursor"):
        await result_store.list_threads(JOB, REPOSITORY, limit=1, cursor=cursor)


async def test_a_reused_answer_shows_the_conversation_that_it_came_from(result_store: ResultStore) -> None:
    await result_store.record_file(record(said="original"))
    await result_store.record_file(reused())

    assert await threads(result_store, OTHER_JOB) == (thread("a.py", "original"),)
    [found] = await files(result_store, OTHER_JOB)
    assert (found.outcome, found.reused_from, found.cost_microusd) == (EDITED, JOB, 0)
    [event] = await result_store.read_events(OTHER_JOB, after=0, limit=10)
    assert isinstance(event.body, FileDone)
    assert (event.body.reused, event.body.cost_microusd) == (True, 0)
    assert await result_store.usage(OTHER_JOB) == UsageTotals()
    assert (await result_store.find_outcomes([question("a.py")]))[question("a.py")].job_id == JOB


async def test_a_reused_answer_keeps_its_conversation_when_a_later_answer_replaces_it(
    result_store: ResultStore,
) -> None:
    await result_store.record_file(record(said="original"))
    await result_store.record_file(reused())
    await result_store.record_file(record(outcome=LEFT_ALONE, calls=[call(9)], said="later"))

    assert await threads(result_store, OTHER_JOB) == (thread("a.py", "original"),)
    assert await threads(result_store) == (thread("a.py", "later"),)
    assert (await result_store.find_outcomes([question("a.py")]))[question("a.py")].outcome == LEFT_ALONE


async def test_a_forgotten_job_leaves_its_answers_and_the_conversations_of_others(result_store: ResultStore) -> None:
    await result_store.record_file(record(said="original"))
    await result_store.record_file(record("b.py", outcome=GAVE_UP))
    await result_store.record_file(reused())
    await result_store.put_patch(JOB, REPOSITORY, patch())
    await result_store.put_patch(OTHER_JOB, REPOSITORY, patch())

    await result_store.forget_jobs([JOB, "job-unknown"])
    await result_store.forget_jobs([JOB])

    assert await files(result_store) == ()
    assert await threads(result_store) == ()
    assert await result_store.usage(JOB) == UsageTotals()
    assert await result_store.read_events(JOB, after=0, limit=1) == []
    with pytest.raises(ResultNotFound):
        await result_store.get_patch(JOB, REPOSITORY)
    assert await result_store.find_outcomes([question("a.py")]) == {
        question("a.py"): KnownOutcome(outcome=EDITED, job_id=JOB)
    }
    assert await threads(result_store, OTHER_JOB) == (thread("a.py", "original"),)
    assert await result_store.get_patch(OTHER_JOB, REPOSITORY) == patch()


async def test_an_answer_of_a_forgotten_job_can_be_reused_with_its_conversation(result_store: ResultStore) -> None:
    await result_store.record_file(record(said="original"))
    await result_store.forget_jobs([JOB])

    await result_store.record_file(reused())

    assert await threads(result_store, OTHER_JOB) == (thread("a.py", "original"),)


async def test_many_files_are_recorded_side_by_side(result_store: ResultStore) -> None:
    """All runs of a job append to its events, and all files of a run add to its usage: none waits in a circle."""
    records = [
        record(f"{number % 40}.py", calls=[call(number, cost=1)], repository=f"owner/r{number % 3}", said=None)
        for number in range(120)
    ]

    await asyncio.gather(*(result_store.record_file(each) for each in records))

    assert (await result_store.usage(JOB)).calls == 120
    assert (await result_store.usage(JOB)).cost_microusd == 120
    assert len(await result_store.read_events(JOB, after=0, limit=500)) == 120


async def test_a_patch_is_kept_byte_for_byte(result_store: ResultStore) -> None:
    everything = patch(bytes(range(256)) * 5_000)

    await result_store.put_patch(JOB, REPOSITORY, everything)

    assert await result_store.get_patch(JOB, REPOSITORY) == everything


async def test_a_patch_is_replaced(result_store: ResultStore) -> None:
    await result_store.put_patch(JOB, REPOSITORY, patch(b"old"))
    await result_store.put_patch(JOB, OTHER_REPOSITORY, patch(b"other"))
    await result_store.put_patch(JOB, REPOSITORY, patch(b"new"))

    assert (await result_store.get_patch(JOB, REPOSITORY)).patch == b"new"
    assert (await result_store.get_patch(JOB, OTHER_REPOSITORY)).patch == b"other"


async def test_a_dropped_patch_is_gone(result_store: ResultStore) -> None:
    await result_store.put_patch(JOB, REPOSITORY, patch())

    await result_store.drop_patch(JOB, REPOSITORY)
    await result_store.drop_patch(JOB, REPOSITORY)

    with pytest.raises(ResultNotFound, match=REPOSITORY):
        await result_store.get_patch(JOB, REPOSITORY)

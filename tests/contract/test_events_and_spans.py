import asyncio
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from cody_jobs.events import Event, JobCreated, JobFinished, RunFinished, RunReturned, RunStarted
from cody_jobs.models import Failure, FailureCode, FileCounts, JobStatus, RunOutcome, RunStatus
from cody_jobs.ports import ResultStore
from tests.contract.results import JOB, OTHER_JOB, record, span

LONG, SHORT = timedelta(minutes=10), timedelta(milliseconds=100)


def returned(text: str) -> RunReturned:
    return RunReturned(repository="owner/one", reason=text)


def texts(events: list[Event]) -> list[str]:
    return [event.body.reason for event in events if isinstance(event.body, RunReturned)]


async def test_events_are_read_in_order_as_they_were_appended(result_store: ResultStore) -> None:
    failure = Failure(code=FailureCode.RUNS_FAILED, message="ä\0", retryable=True)
    bodies = [
        JobCreated(repositories=3),
        RunStarted(repository="owner/one", attempt=1),
        RunFinished(
            repository="owner/one",
            status=RunStatus.SUCCEEDED,
            outcome=RunOutcome.PATCH,
            reason=None,
            failure=None,
            files=FileCounts(examined=3, skipped={"binary": 1}),
        ),
        JobFinished(status=JobStatus.FAILED, failure=failure),
    ]
    await result_store.append_events(JOB, bodies[:3])
    await result_store.append_events(JOB, bodies[3:])
    await result_store.append_events(JOB, [])

    events = await result_store.read_events(JOB, after=0, limit=10)

    assert [event.body for event in events] == bodies
    assert {event.job_id for event in events} == {JOB}
    assert [event.id for event in events] == sorted({event.id for event in events})
    assert abs(datetime.now(UTC) - events[0].at) < timedelta(minutes=5)


async def test_events_are_read_from_where_one_was(result_store: ResultStore) -> None:
    await result_store.append_events(JOB, [returned(str(number)) for number in range(5)])
    first = await result_store.read_events(JOB, after=0, limit=2)

    rest = await result_store.read_events(JOB, after=first[-1].id, limit=10)

    assert (texts(first), texts(rest)) == (["0", "1"], ["2", "3", "4"])
    assert await result_store.read_events(JOB, after=rest[-1].id, limit=10) == []


async def test_events_of_jobs_do_not_mix(result_store: ResultStore) -> None:
    await result_store.append_events(JOB, [returned("a")])
    await result_store.append_events(OTHER_JOB, [returned("b")])

    assert texts(await result_store.read_events(OTHER_JOB, after=0, limit=10)) == ["b"]
    assert await result_store.read_events("job-unknown", after=0, limit=10) == []


async def test_a_reader_never_misses_an_event_of_twenty_who_append_at_once(result_store: ResultStore) -> None:
    """Half of them append much at once, so that the others overtake them."""
    seen: list[Event] = []
    appending = asyncio.Event()

    async def append(name: int) -> None:
        for number in range(10):
            size = 300 if name % 2 else 1
            await result_store.append_events(JOB, [returned(f"{name}/{number}/{part}") for part in range(size)])

    async def read() -> None:
        while not appending.is_set() or await result_store.wait_for_events(JOB, after=seen[-1].id, timeout=SHORT):
            seen.extend(await result_store.read_events(JOB, after=seen[-1].id if seen else 0, limit=10_000))

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(read())
        async with asyncio.TaskGroup() as appenders:
            for name in range(20):
                appenders.create_task(append(name))
        appending.set()

    assert len(seen) == 10 * 10 * 301
    assert seen == await result_store.read_events(JOB, after=0, limit=100_000)
    of_one = [text for text in texts(seen) if text.startswith("7/")]
    assert of_one == [f"7/{number}/{part}" for number in range(10) for part in range(300)]


async def test_who_waits_is_woken_by_the_next_event(result_store: ResultStore) -> None:
    """The wait is longer than the test may last: only a wake-up can end it in time."""
    await result_store.append_events(JOB, [returned("before")])
    [before] = await result_store.read_events(JOB, after=0, limit=1)

    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        waiting = [
            group.create_task(result_store.wait_for_events(JOB, after=before.id, timeout=LONG)) for _ in range(5)
        ]
        assert not await result_store.wait_for_events(OTHER_JOB, after=0, timeout=SHORT)
        await result_store.record_file(record())

    assert [task.result() for task in waiting] == [True] * 5


async def test_who_waits_for_what_is_there_already_does_not_wait(result_store: ResultStore) -> None:
    await result_store.append_events(JOB, [returned("before")])

    async with asyncio.timeout(20):
        assert await result_store.wait_for_events(JOB, after=0, timeout=LONG)


async def test_who_waits_in_vain_is_told_so(result_store: ResultStore) -> None:
    await result_store.append_events(JOB, [returned("before")])
    [before] = await result_store.read_events(JOB, after=0, limit=1)
    waiting = asyncio.create_task(result_store.wait_for_events(JOB, after=before.id, timeout=SHORT))

    await result_store.append_events(OTHER_JOB, [returned("of another job")])

    assert not await waiting


async def test_spans_are_kept_as_they_were(result_store: ResultStore) -> None:
    spans = [span(number) for number in range(5)]

    await result_store.append_spans(spans)
    await result_store.append_spans(spans[:2])
    await result_store.append_spans([])

    assert await result_store.read_trace(JOB, None, limit=10) == [replace(each) for each in spans]


async def test_a_trace_has_its_spans_and_those_that_carry_the_job(result_store: ResultStore) -> None:
    of_request, of_worker = span(1, job_id=None, trace=1), span(2, trace=2)
    await result_store.append_spans(
        [of_worker, of_request, span(3, job_id=OTHER_JOB, trace=3), span(4, job_id=None, trace=4)]
    )

    assert await result_store.read_trace(JOB, of_request.trace_id, limit=10) == [of_request, of_worker]
    assert await result_store.read_trace(JOB, None, limit=10) == [of_worker]
    assert await result_store.read_trace(JOB, of_request.trace_id, limit=1) == [of_request]
    assert await result_store.read_trace("job-unknown", None, limit=10) == []


async def test_no_odd_text_or_number_keeps_a_span_away(result_store: ResultStore) -> None:
    odd = replace(span(7), attributes={"never": float("nan"), "always": float("inf")}, status_message="a\0b")

    await result_store.append_spans([odd])

    [found] = await result_store.read_trace(JOB, None, limit=10)
    assert found.attributes == {"never": "nan", "always": "inf"}
    assert found.name.startswith("step ")


async def test_the_oldest_spans_go_when_there_are_too_many(small_span_store: ResultStore) -> None:
    start = datetime.now(UTC)
    for first in range(0, 300, 10):
        await small_span_store.append_spans(
            [span(number, at=start + timedelta(seconds=number)) for number in range(first, first + 10)]
        )

    kept = await small_span_store.read_trace(JOB, None, limit=1_000)
    assert [int(found.span_id, 16) for found in kept] == list(range(200, 300))


async def test_old_spans_go(result_store: ResultStore) -> None:
    old, young = datetime.now(UTC) - timedelta(days=8), datetime.now(UTC) - timedelta(days=6)

    await result_store.append_spans([span(0, at=old), span(1, at=young)])

    assert [found.started_at for found in await result_store.read_trace(JOB, None, limit=10)] == [young]


async def test_a_forgotten_job_leaves_no_span_of_its_traces(result_store: ResultStore) -> None:
    await result_store.append_spans([span(0, job_id=None), span(1), span(2, job_id=OTHER_JOB, trace=2)])

    await result_store.forget_jobs([JOB])

    assert await result_store.read_trace(JOB, f"{1:032x}", limit=10) == []
    assert len(await result_store.read_trace(OTHER_JOB, None, limit=10)) == 1


async def test_what_was_told_under_a_key_is_not_missing(result_store: ResultStore) -> None:
    await result_store.append_events(JOB, [returned("a")], key="one")
    await result_store.append_events(OTHER_JOB, [returned("x")], key="two")

    for _ in range(2):
        await result_store.append_missing(JOB, {"one": returned("a again"), "two": returned("b")})

    assert texts(await result_store.read_events(JOB, after=0, limit=10)) == ["a", "b"]
    assert len(await result_store.read_events(OTHER_JOB, after=0, limit=10)) == 1

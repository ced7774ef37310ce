"""The event stream on a real socket: resumed, ended, cut off by either side."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx
import msgspec
import pytest
from httpx_sse import ServerSentEvent, aconnect_sse
from msgspec.structs import replace

from cody_api.event_streams import STREAMS_AT_ONCE
from cody_api.stream_events import StreamTimes, stream_events
from cody_backends.open_backends import Backends
from cody_jobs.errors import Unavailable
from cody_jobs.events import Event, JobFinished, RunReturned
from cody_jobs.models import JobStatus, RunOutcome
from cody_jobs.ports import Role
from tests.support.wait import wait_until
from tests.unit.cody_api.conftest import Served, ServedBy
from tests.unit.cody_api.stories import dispatch, finish, submit, succeeded

Events = AsyncIterator[ServerSentEvent]
NEVER = timedelta(hours=1)


@pytest.fixture
async def remote(served: Served, backends: Backends) -> AsyncGenerator[httpx.AsyncClient]:
    token = await backends.tokens.create_token("remote", Role.SUBMITTER)
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=served.url, headers=headers, timeout=30) as client:
        yield client


@asynccontextmanager
async def stream(client: httpx.AsyncClient, job_id: str, **headers: str) -> AsyncGenerator[Events]:
    async with aconnect_sse(client, "GET", f"/jobs/{job_id}/events", headers=headers) as source:
        source.response.raise_for_status()
        yield source.aiter_sse()


async def read_all(client: httpx.AsyncClient, job_id: str, **headers: str) -> list[ServerSentEvent]:
    async with stream(client, job_id, **headers) as events:
        return [event async for event in events]


async def end_job(backends: Backends, job_id: str, *repositories: str) -> None:
    await dispatch(backends, job_id)
    for repository in repositories:
        await finish(backends, job_id, repository, succeeded(RunOutcome.PATCH))
    await backends.jobs.end_shard(job_id, 1, 0)
    await backends.results.append_events(job_id, [JobFinished(status=JobStatus.SUCCEEDED, failure=None)])


def note(number: int) -> RunReturned:
    return RunReturned(repository="acme/web", reason=f"number {number}")


async def test_a_stream_tells_everything_from_the_beginning_and_ends_with_the_job(
    remote: httpx.AsyncClient, backends: Backends
) -> None:
    job_id = await submit(remote, "acme/web")
    async with stream(remote, job_id) as events:
        first = await anext(events)
        await end_job(backends, job_id, "acme/web")
        rest = [event async for event in events]
    assert [event.event for event in (first, *rest)] == ["job_created", "job_finished", "end"]
    assert msgspec.json.decode(rest[-1].data) == {"jobId": job_id, "status": "SUCCEEDED"}
    assert rest[-1].id == rest[0].id, "the end is not an event that one could resume from"
    told = msgspec.json.decode(first.data, type=Event)
    assert (str(told.id), told.job_id) == (first.id, job_id)


async def test_a_stream_goes_on_where_it_was_cut_off(remote: httpx.AsyncClient, backends: Backends) -> None:
    job_id = await submit(remote, "acme/web")
    await backends.results.append_events(job_id, [note(number) for number in range(450)])
    seen: list[ServerSentEvent] = []
    async with stream(remote, job_id) as events:
        async for event in events:
            seen.append(event)
            if len(seen) == 100:
                break
    await end_job(backends, job_id, "acme/web")
    seen += await read_all(remote, job_id, **{"Last-Event-ID": seen[-1].id})
    stored = await backends.results.read_events(job_id, after=0, limit=1_000)
    assert [event.id for event in seen[:-1]] == [str(event.id) for event in stored]
    assert len(seen) == 1 + 450 + 1 + 1


async def test_the_last_id_may_be_a_parameter(remote: httpx.AsyncClient, backends: Backends) -> None:
    job_id = await submit(remote, "acme/web")
    await end_job(backends, job_id, "acme/web")
    last = (await backends.results.read_events(job_id, after=0, limit=1))[0].id
    async with aconnect_sse(remote, "GET", f"/jobs/{job_id}/events?lastEventId={last}") as source:
        assert [event.event async for event in source.aiter_sse()] == ["job_finished", "end"]


async def test_who_has_seen_the_end_is_told_so_at_once(remote: httpx.AsyncClient, backends: Backends) -> None:
    job_id = await submit(remote, "acme/web")
    await end_job(backends, job_id, "acme/web")
    last = (await backends.results.read_events(job_id, after=0, limit=100))[-1].id
    assert [event.event for event in await read_all(remote, job_id, **{"Last-Event-ID": str(last)})] == ["end"]


@pytest.mark.parametrize("last", ["x", "-1", "1.5", "9" * 30, str(2**63)])
async def test_a_last_id_that_is_none_is_refused(bare_client: httpx.AsyncClient, last: str) -> None:
    answer = await bare_client.get("/jobs/job-1/events", headers={"Last-Event-ID": last})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_header")


async def test_a_retried_job_goes_on_in_the_same_stream(remote: httpx.AsyncClient, backends: Backends) -> None:
    job_id = await submit(remote, "acme/web", "acme/api")
    await remote.post(f"/jobs/{job_id}/cancel")
    await remote.post(f"/jobs/{job_id}/retry")
    async with stream(remote, job_id) as events:
        kinds = [(await anext(events)).event for _ in range(3)]
        await end_job(backends, job_id, "acme/web", "acme/api")
        kinds += [event.event async for event in events]
    assert kinds == ["job_created", "job_finished", "job_retried", "job_finished", "end"]


async def test_a_job_whose_last_event_was_lost_ends_all_the_same(backends: Backends, client: httpx.AsyncClient) -> None:
    job_id = await submit(client, "acme/web")
    await backends.jobs.stop_job(job_id, status=JobStatus.CANCELLED, failure=None)
    times = StreamTimes(keep_alive=NEVER, grace=timedelta(milliseconds=50))
    chunks = [chunk async for chunk in stream_events(backends, job_id, after=0, stop=asyncio.Event(), times=times)]
    assert chunks[-1].startswith(b"event: end\n")
    assert b'"CANCELLED"' in chunks[-1]


async def test_nobody_waits_for_an_end_that_was_told_already(backends: Backends, client: httpx.AsyncClient) -> None:
    job_id = await submit(client, "acme/web")
    await end_job(backends, job_id, "acme/web")
    last = (await backends.results.read_events(job_id, after=0, limit=100))[-1].id
    times = StreamTimes(keep_alive=NEVER, grace=NEVER)
    chunks = stream_events(backends, job_id, after=last, stop=asyncio.Event(), times=times)
    async with asyncio.timeout(20):
        told = [chunk async for chunk in chunks]
    assert told[-1].startswith(b"event: end\n")


async def test_a_server_that_stops_does_not_say_that_all_was_told(
    backends: Backends, client: httpx.AsyncClient
) -> None:
    """The job has ended, but its last event may still come: the client has to come back for it."""
    job_id = await submit(client, "acme/web")
    await backends.jobs.stop_job(job_id, status=JobStatus.CANCELLED, failure=None)
    stop = asyncio.Event()
    times = StreamTimes(keep_alive=NEVER, grace=NEVER)
    chunks = stream_events(backends, job_id, after=0, stop=stop, times=times)
    told = [await anext(chunks) for _ in range(2)]
    rest = asyncio.create_task(anext(chunks, b"nothing"))  # pyright: ignore[reportArgumentType] (a coroutine here)
    await wait_until(lambda: _is_running("wait-for-stop"), "the stream waits for the last event")
    stop.set()
    assert await rest == b"nothing"
    assert told[1].startswith(b"id: ")


async def test_a_silent_stream_is_kept_alive_by_comments(backends: Backends, client: httpx.AsyncClient) -> None:
    job_id = await submit(client, "acme/web")
    times = StreamTimes(keep_alive=timedelta(milliseconds=20))
    chunks = stream_events(backends, job_id, after=0, stop=asyncio.Event(), times=times)
    told = [await anext(chunks) for _ in range(4)]
    await chunks.aclose()
    assert told[0] == b": events\n"
    assert told[1].startswith(b"id: ")
    assert told[2:] == [b": keep-alive\n"] * 2


async def test_a_stream_outlives_a_database_that_goes_away(backends: Backends, client: httpx.AsyncClient) -> None:
    class AwayOnce:
        def __init__(self) -> None:
            self.times = 0

        async def get_job(self, job_id: str) -> object:
            self.times += 1
            if self.times == 2:
                raise Unavailable("PostgreSQL", "connection refused")
            return await backends.jobs.get_job(job_id)

    job_id = await submit(client, "acme/web")
    flaky = replace(backends, jobs=AwayOnce())
    times = StreamTimes(keep_alive=NEVER, pause=timedelta(milliseconds=10))
    chunks = stream_events(flaky, job_id, after=0, stop=asyncio.Event(), times=times)
    told = [await anext(chunks) for _ in range(3)]
    assert told[2] == b": waiting for the database\n"
    await end_job(backends, job_id, "acme/web")
    told += [chunk async for chunk in chunks]
    assert [chunk.split(b"\n")[1] for chunk in told[3:4]] == [b"event: job_finished"]
    assert told[-1].startswith(b"event: end\n")


async def test_a_stream_ends_without_an_end_when_the_server_stops(remote: httpx.AsyncClient, served: Served) -> None:
    job_id = await submit(remote, "acme/web")
    async with stream(remote, job_id) as events:
        assert (await anext(events)).event == "job_created"
        served.stop.set()
        assert [event async for event in events] == []


async def test_a_client_that_leaves_frees_everything(remote: httpx.AsyncClient, served: Served) -> None:
    job_id = await submit(remote, "acme/web")
    async with stream(remote, job_id) as events:
        await anext(events)
        assert served.streams.open == 1
    await wait_until(lambda: served.streams.open == 0, "the stream is closed on our side, too")
    await wait_until(
        lambda: not _is_running("wait-for-events") and not _is_running("wait-for-stop"), "nothing waits for it any more"
    )


class Unchanged:
    """True once a number has been the same at many looks in a row."""

    def __init__(self, number: Callable[[], int]) -> None:
        self._number = number
        self._last = -1
        self._looks = 0

    def __call__(self) -> bool:
        number = self._number()
        self._looks = self._looks + 1 if number == self._last else 0
        self._last = number
        return self._looks >= 15


async def test_a_client_that_does_not_read_makes_the_stream_wait(
    served_by: ServedBy, backends: Backends, client: httpx.AsyncClient
) -> None:
    """What is read from the store stays within what the sockets hold: nothing piles up in memory."""

    class Endless:
        def __init__(self) -> None:
            self.read = 0

        async def read_events(self, job_id: str, *, after: int, limit: int) -> list[Event]:
            self.read += limit
            at = (await backends.jobs.get_job(job_id)).created_at
            body = RunReturned(repository="acme/web", reason="x" * 1_000)
            return [Event(id=after + number, job_id=job_id, at=at, body=body) for number in range(1, limit + 1)]

    endless = Endless()
    async with served_by(replace(backends, results=endless)) as served:
        job_id = await submit(client)
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        token = await backends.tokens.create_token("slow", Role.VIEWER)
        writer.write(f"GET /jobs/{job_id}/events HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
        await wait_until(lambda: endless.read > 1_000, "the stream has begun")
        await wait_until(Unchanged(lambda: endless.read), "nothing more is read from the store")
        assert endless.read < 100_000
        writer.close()
        await wait_until(lambda: served.streams.open == 0, "the stream is closed on our side, too")
        del reader


async def test_there_is_a_limit_to_streams(remote: httpx.AsyncClient, served: Served) -> None:
    job_id = await submit(remote, "acme/web")
    served.streams.open += STREAMS_AT_ONCE
    answer = await remote.get(f"/jobs/{job_id}/events")
    served.streams.open -= STREAMS_AT_ONCE
    assert (answer.status_code, answer.json()["code"]) == (503, "too_many_streams")
    assert answer.headers["retry-after"]


def _is_running(name: str) -> bool:
    return any(task.get_name() == name for task in asyncio.all_tasks())

"""A job's events as server-sent events, from any point on, until the job has ended and everything was delivered."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from datetime import timedelta
from typing import Any

import msgspec
from msgspec import Struct

from cody_backends.open_backends import Backends
from cody_jobs.errors import JobNotFound, Unavailable
from cody_jobs.events import Event, JobFinished
from cody_jobs.lifecycle import JOB_ENDED
from cody_jobs.models import JobStatus
from cody_jobs.ports import ResultStore
from cody_runtime.logs import get_logger

log = get_logger("cody_api")

_EVENTS_AT_ONCE = 200


class StreamTimes(Struct, frozen=True, kw_only=True):
    """`keep_alive`: a comment goes out after so long a silence, so that proxies keep the connection. `grace`: whoever
    ended the job still has to store its last event. `pause`: between two looks at a database that is away."""

    keep_alive: timedelta = timedelta(seconds=15)
    grace: timedelta = timedelta(seconds=5)
    pause: timedelta = timedelta(seconds=1)


class StreamEnd(Struct, frozen=True, kw_only=True, rename="camel"):
    """The data of the `end` event, after which nothing comes any more."""

    job_id: str
    status: JobStatus


async def stream_events(
    backends: Backends, job_id: str, *, after: int, stop: asyncio.Event, times: StreamTimes
) -> AsyncGenerator[bytes]:
    """Yield the stream's bytes. Ends without an `end` event when `stop` is set: the client comes back.

    At most one batch of events is in memory; a slow client makes us wait, not collect.
    """
    yield b": events\n"  # comments end in one line break: after two, some clients report an empty event
    reader = _Reader(backends.results, job_id, after, stop)
    while not stop.is_set():
        try:
            # The status first: what is read after it is all there is, once the job has ended.
            status = (await backends.jobs.get_job(job_id)).status
            batch = await reader.read()
            for event in batch:
                yield _encode(event)
            if batch or await reader.wait(_patience(status, reader, times)):
                continue
        except Unavailable as error:
            log.warning("event_stream_waits", job_id=job_id, error=str(error))
            yield b": waiting for the database\n"
            await _finishes(stop.wait(), times.pause)
            continue
        except JobNotFound:
            return
        if stop.is_set():
            return
        if status in JOB_ENDED:
            yield _end(job_id, status)
            return
        yield b": keep-alive\n"


def _patience(status: JobStatus, reader: "_Reader", times: StreamTimes) -> timedelta:
    if status not in JOB_ENDED:
        return times.keep_alive
    return timedelta(0) if reader.has_the_end else times.grace


class _Reader:
    """One client's place in the feed. `has_the_end`: the last event it has is the job's end."""

    def __init__(self, results: ResultStore, job_id: str, after: int, stop: asyncio.Event) -> None:
        self._results = results
        self._job_id = job_id
        self._after = after
        self._stop = stop
        self._last: Event | None = None

    @property
    def has_the_end(self) -> bool:
        return self._last is not None and isinstance(self._last.body, JobFinished)

    async def read(self) -> list[Event]:
        if self._last is None and self._after > 0:
            await self._recall()
        batch = await self._results.read_events(self._job_id, after=self._after, limit=_EVENTS_AT_ONCE)
        if batch:
            self._last = batch[-1]
            self._after = self._last.id
        return batch

    async def wait(self, patience: timedelta) -> bool:
        """Whether there is something new, within that time."""
        if not patience:
            return False
        waiting = self._results.wait_for_events(self._job_id, after=self._after, timeout=patience)
        return await _first(waiting, self._stop)

    async def _recall(self) -> None:
        """A client that comes back may have had the end already: look at the last event it says it has."""
        found = await self._results.read_events(self._job_id, after=self._after - 1, limit=1)
        if found and found[0].id == self._after:
            self._last = found[0]


async def _first(waiting: Coroutine[Any, Any, bool], stop: asyncio.Event) -> bool:
    """The result of `waiting`, or False as soon as `stop` is set; nothing is left running."""
    result = asyncio.create_task(waiting, name="wait-for-events")
    stopped = asyncio.create_task(stop.wait(), name="wait-for-stop")
    try:
        await asyncio.wait({result, stopped}, return_when=asyncio.FIRST_COMPLETED)
        return result.result() if result.done() else False
    finally:
        result.cancel()
        stopped.cancel()
        await asyncio.gather(result, stopped, return_exceptions=True)


async def _finishes(waiting: Coroutine[Any, Any, bool], patience: timedelta) -> None:
    try:
        async with asyncio.timeout(patience.total_seconds()):
            await waiting
    except TimeoutError:
        return


def _encode(event: Event) -> bytes:
    kind = str(event.body.__struct_config__.tag)
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (event.id, kind.encode(), msgspec.json.encode(event))


def _end(job_id: str, status: JobStatus) -> bytes:
    return b"event: end\ndata: %s\n\n" % msgspec.json.encode(StreamEnd(job_id=job_id, status=status))

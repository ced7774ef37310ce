"""The job's event feed, as one stream without gaps: it is taken up again wherever it broke off."""

import asyncio
from collections.abc import AsyncGenerator

import msgspec
from httpx import Timeout
from httpx_sse import ServerSentEvent, aconnect_sse

from cody_cli.api import Api, ApiGone, job_path, refusal, transport_errors
from cody_jobs.events import Event

_SILENCE_SECONDS = 60.0
"""The API sends a comment more often than that: a silent stream is a dead one."""
_END = "end"
"""The last event of the feed of a job that is over; a stream that ends without it was cut off."""
_PAUSES = (0.2, 0.5, 1.0, 2.0, 2.0)


async def follow_events(api: Api, job_id: str, *, after: int = 0) -> AsyncGenerator[Event]:
    """Events with an id above `after`, each once and in order, until the job is over and all were delivered.

    Raises `ApiGone` when the API stays away.
    """
    failures = 0
    while True:
        try:
            async for sent in _stream(api, job_id, after):
                failures = 0
                if sent.event == _END:
                    return
                event = msgspec.json.decode(sent.data, type=Event)
                after = event.id
                yield event
        except ApiGone:
            if failures == len(_PAUSES):
                raise
        await asyncio.sleep(_PAUSES[min(failures, len(_PAUSES) - 1)])
        failures += 1


async def _stream(api: Api, job_id: str, after: int) -> AsyncGenerator[ServerSentEvent]:
    """One connection's worth."""
    headers = {"Last-Event-ID": str(after)} if after else {}
    timeout = Timeout(_SILENCE_SECONDS, connect=10.0)
    path = f"{job_path(job_id)}/events"
    with transport_errors(api.client.base_url):
        async with aconnect_sse(api.client, "GET", path, headers=headers, timeout=timeout) as source:
            if source.response.is_error:
                await source.response.aread()
                raise refusal(source.response)
            async for sent in source.aiter_sse():
                if sent.data:
                    yield sent

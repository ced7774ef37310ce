"""All event streams of this process: how many may be open, and that they end when it stops."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from cody_api.problems import ProblemError
from cody_api.stream_events import StreamTimes, stream_events
from cody_backends.open_backends import Backends

STREAMS_AT_ONCE = 500


class EventStreams:
    """`stop` ends them all when it is set."""

    def __init__(self, backends: Backends, *, stop: asyncio.Event, times: StreamTimes | None = None) -> None:
        self._backends = backends
        self.stop = stop
        self._times = times or StreamTimes()
        self.open = 0

    def check_room(self) -> None:
        """Raise `ProblemError` 503 when there are too many."""
        if self.open >= STREAMS_AT_ONCE:
            detail = f"{STREAMS_AT_ONCE} event streams are open already."
            raise ProblemError(503, "too_many_streams", detail, headers={"Retry-After": "10"})

    async def stream(self, job_id: str, *, after: int) -> AsyncGenerator[bytes]:
        self.open += 1
        events = stream_events(self._backends, job_id, after=after, stop=self.stop, times=self._times)
        try:
            async with aclosing(events):
                async for chunk in events:
                    yield chunk
        finally:
            self.open -= 1

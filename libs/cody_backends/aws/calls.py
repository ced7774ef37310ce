"""How every call to AWS is made: errors translated, trouble waited out with jitter, a span inside of a trace."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import stamina
from opentelemetry import trace

from cody_backends.aws.errors import translated
from cody_jobs.errors import Unavailable
from cody_runtime.telemetry import get_tracer

T = TypeVar("T")
tracer = get_tracer(__name__)


class Calls:
    """`service` names it for people ("DynamoDB in eu-central-1"). botocore itself does not retry: how long trouble is
    waited out is decided here, `patience` seconds for one operation."""

    def __init__(self, service: str, *, patience: float) -> None:
        self.service = service
        self._patience = patience

    async def run(self, name: str, call: Callable[[], Awaitable[T]]) -> T:
        """Make the call; again, with growing pauses, while it raises `Unavailable` (throttled, a collision of
        transactions, no connection). `name` is the API's operation.

        An answer may be lost: whatever is called must lead to the same end when it happens twice.
        """
        return await self.patiently(lambda: self.once(name, call))

    async def patiently(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do it again, with growing pauses, while it raises `Unavailable`, until patience ends."""
        async for attempt in stamina.retry_context(
            on=Unavailable, attempts=None, timeout=self._patience, wait_initial=0.05, wait_max=5.0, wait_jitter=0.5
        ):
            with attempt:
                return await work()
        raise AssertionError("stamina ends with a result or an error")

    async def once(self, name: str, call: Callable[[], Awaitable[T]]) -> T:
        """Make the call a single time."""
        if not trace.get_current_span().is_recording():
            with translated(self.service):
                return await call()
        attributes = {"rpc.system": "aws-api", "rpc.service": self.service.partition(" ")[0], "rpc.method": name}
        with (
            tracer.start_as_current_span(
                name, kind=trace.SpanKind.CLIENT, attributes=attributes, record_exception=False
            ),
            translated(self.service),
        ):
            return await call()

"""At-least-once messages."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable

from msgspec import Struct

RECEIVES_ALLOWED = 5
"""A message received this often without being deleted goes to the dead letters at the next receive."""


class ReceivedMessage(Struct, frozen=True, kw_only=True):
    """`receipt` stands for this one delivery; `receives` counts deliveries, this one included."""

    id: str
    receipt: str
    body: bytes
    attributes: Mapping[str, str]
    receives: int
    sent_at: datetime


class DeadLetter(Struct, frozen=True, kw_only=True):
    id: str
    body: bytes
    attributes: Mapping[str, str]
    reason: str
    receives: int
    died_at: datetime


class QueueDepth(Struct, frozen=True, kw_only=True):
    ready: int
    in_flight: int
    dead: int


@runtime_checkable
class WorkQueue(Protocol):
    """A message is invisible to others for its visibility timeout after a receive, and comes again unless deleted.
    Order is not promised; times may be rounded up to whole seconds. Raises `Unavailable` when the queue stays away."""

    async def ping(self) -> None:
        """Return when the queue answers; raise `Unavailable` otherwise, without retrying."""
        ...

    async def send(
        self,
        queue: str,
        body: bytes,
        *,
        attributes: Mapping[str, str] | None = None,
        delay: timedelta = timedelta(0),
    ) -> str:
        """Return the message's id."""
        ...

    async def receive(self, queue: str, *, limit: int, wait: timedelta, visibility: timedelta) -> list[ReceivedMessage]:
        """At most `limit` (1 to 10) messages; returns as soon as there is one, or [] after `wait`."""
        ...

    async def extend(self, queue: str, message: ReceivedMessage, *, visibility: timedelta) -> None:
        """Keep the message invisible for that long from now. Nothing happens when the receipt is stale."""
        ...

    async def delete(self, queue: str, message: ReceivedMessage) -> None: ...

    async def bury(self, queue: str, message: ReceivedMessage, *, reason: str) -> None:
        """Move the message to the dead letters now, with the reason."""
        ...

    async def list_dead_letters(self, queue: str, *, limit: int) -> list[DeadLetter]:
        """Newest first."""
        ...

    async def redrive(self, queue: str) -> int:
        """Send all dead letters of the queue to it again; their number."""
        ...

    async def depth(self, queue: str) -> QueueDepth: ...

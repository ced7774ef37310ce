"""A client of DynamoDB that a test can look at, and make trouble with."""

import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient

WRITES = frozenset({"put_item", "update_item", "delete_item", "transact_write_items", "batch_write_item"})


class Died(Exception):
    """The process is gone."""


class Watched:
    """A client that counts its requests, throttles some of them, and dies at one of its writes, before DynamoDB has
    heard of it or after."""

    def __init__(self, client: "DynamoDBClient") -> None:
        self._client = client
        self._throttled, self._chance = 0.0, random.Random(0)
        self._dies_at: int | None = None
        self._hears, self._dead = False, False
        self.calls: Counter[str] = Counter()
        self.throttles = 0

    @property
    def writes(self) -> int:
        return sum(self.calls[operation] for operation in WRITES)

    def throttle(self, share: float, *, seed: int) -> None:
        self._throttled, self._chance = share, random.Random(seed)

    def die(self, *, at_write: int, hears: bool) -> None:
        self.calls.clear()
        self._dies_at, self._hears, self._dead = at_write, hears, False

    def live(self) -> None:
        self.calls.clear()
        self._dies_at, self._dead = None, False

    def __getattr__(self, operation: str) -> Any:
        call = getattr(self._client, operation)

        async def watched(**arguments: Any) -> Any:
            if self._dead:
                raise Died
            self._maybe_throttle(operation)
            self.calls[operation] += 1
            if operation not in WRITES or self.writes != self._dies_at:
                return await call(**arguments)
            self._dead = True
            if self._hears:
                await call(**arguments)
            raise Died

        return watched

    def _maybe_throttle(self, operation: str) -> None:
        if self._chance.random() >= self._throttled:
            return
        self.throttles += 1
        response: Any = {"Error": {"Code": "ProvisionedThroughputExceededException", "Message": "slow down"}}
        raise ClientError(response, operation)


class Clock:
    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


async def crash(work: Awaitable[object]) -> None:
    """Do it, and die of it."""
    died = False
    try:
        await work
    except* Died:
        died = True
    assert died


def crashes(client: Watched, writes: int, *, first: int = 1) -> Iterable[Callable[[], None]]:
    """A death before, and one after, each of so many writes."""
    for number in range(first, writes + 1):
        for hears in (False, True):
            yield lambda number=number, hears=hears: client.die(at_write=number, hears=hears)


async def writes_of(client: Watched, work: Awaitable[object]) -> int:
    client.live()
    await work
    return client.writes

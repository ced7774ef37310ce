"""Every request has a place, which waits until GitHub's limits have room for it; while limited, nobody asks."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from enum import StrEnum

from cody_hosts.github.limits import LaneLimits, Refusal, Resource, Told
from cody_hosts.github.turns import Turns
from cody_jobs.errors import Unavailable
from cody_runtime.logs import get_logger

log = get_logger(__name__)

_READS_AT_ONCE = 16


class Kind(StrEnum):
    """Changes are made one after the other, and are paced as what makes content: GitHub does not list what that is, and
    locks out who makes too much of it."""

    READ = "read"
    CHANGE = "change"


class Governor:
    """`patience` is how many seconds a request waits for room before it is `Unavailable`, with the time that is left.
    `minute` is how many of the clock's seconds a minute of the limits takes."""

    def __init__(
        self, turns: Turns, *, clock: Callable[[], float], patience: float, host: str, minute: float = 60.0
    ) -> None:
        self._turns = turns
        self._clock = clock
        self._patience = patience
        self._host = host
        self._minute = minute
        self._lanes: dict[str, _Lane] = {}

    def wait(self, lane: str, resource: Resource, kind: Kind) -> float:
        """About how long a request would wait, by what this process knows: to choose among identities."""
        found = self._lane(lane)
        limited = found.limits.wait(resource, self._clock())
        if kind is Kind.READ:
            return limited
        # Of two that have room, the one with fewer that stand in line.
        return max(limited, self._turns.wait(lane)) + found.writers * 1e-3

    @asynccontextmanager
    async def place(self, lane: str, resource: Resource, kind: Kind) -> AsyncGenerator["Place"]:
        """Raises `Unavailable`, with `retry_after`, where there is no room for longer than the patience."""
        found = self._lane(lane)
        async with found.reading if kind is Kind.READ else found.line():
            await self._wait_for_room(lane, found.limits, resource)
            if kind is Kind.CHANGE:
                await self._wait_for_turn(lane, found.limits, resource)
            async with found.scout(resource, lambda: found.limits.is_known(resource, self._clock())):
                # What the scout met holds for those that waited for it.
                await self._wait_for_room(lane, found.limits, resource)
                found.limits.starts(resource, self._clock())
                try:
                    yield Place(lane, found.limits, resource, self._turns, self._clock)
                finally:
                    if kind is Kind.CHANGE:
                        await self._turns.went(lane)

    async def _wait_for_turn(self, lane: str, limits: LaneLimits, resource: Resource) -> None:
        seconds = await self._turns.take(lane)
        try:
            self._check_patience(lane, seconds, "the pace of changes")
            await asyncio.sleep(seconds)
            await self._wait_for_room(lane, limits, resource)
        except BaseException:
            await self._turns.give_back(lane)
            raise

    async def _wait_for_room(self, lane: str, limits: LaneLimits, resource: Resource) -> None:
        while (seconds := max(limits.wait(resource, self._clock()), await self._turns.paused(lane))) > 0:
            self._check_patience(lane, seconds, f"a limit ({resource})")
            log.info("github_room_awaited", lane=lane, resource=resource, seconds=round(seconds, 1))
            await asyncio.sleep(seconds)

    def _check_patience(self, lane: str, seconds: float, what: str) -> None:
        if seconds > self._patience:
            message = f"{what} of {lane} leaves no room for {seconds:,.0f} seconds"
            raise Unavailable(self._host, message, retry_after=seconds)

    def _lane(self, lane: str) -> "_Lane":
        if lane not in self._lanes:
            self._lanes[lane] = _Lane(self._minute)
        return self._lanes[lane]


class Place:
    """A request's place: hears what becomes of it."""

    def __init__(
        self, lane: str, limits: LaneLimits, resource: Resource, turns: Turns, clock: Callable[[], float]
    ) -> None:
        self._lane = lane
        self._limits = limits
        self._resource = resource
        self._turns = turns
        self._clock = clock

    def answered(self, told: Told) -> None:
        self._limits.heard(self._resource, told, self._clock())
        self._limits.answered()

    async def refused(self, refusal: Refusal) -> float:
        """Seconds in which nobody asks."""
        seconds = self._limits.refused(self._resource, refusal, self._clock())
        log.warning(
            "github_limited", lane=self._lane, resource=self._resource, secondary=refusal.secondary, seconds=seconds
        )
        if refusal.secondary:
            await self._turns.pause(self._lane, seconds)
        return seconds


class _Lane:
    def __init__(self, minute: float) -> None:
        self.limits = LaneLimits(minute=minute)
        self.reading = asyncio.Semaphore(_READS_AT_ONCE)
        self.writers = 0
        self._writing = asyncio.Lock()
        self._scouting: defaultdict[Resource, asyncio.Lock] = defaultdict(asyncio.Lock)

    @asynccontextmanager
    async def line(self) -> AsyncGenerator[None]:
        """Stand in the line of those who change something; first come, first served."""
        self.writers += 1
        try:
            async with self._writing:
                yield
        finally:
            self.writers -= 1

    @asynccontextmanager
    async def scout(self, resource: Resource, is_known: Callable[[], bool]) -> AsyncGenerator[None]:
        """While nobody knows what is left, one goes alone, and its answer tells."""
        lock = self._scouting[resource]
        while not is_known():
            async with lock:
                if not is_known():
                    yield
                    return
        yield

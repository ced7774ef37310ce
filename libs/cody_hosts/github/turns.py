"""Turns to make content, and pauses for everybody, per lane: within this process, or later in a store for several."""

from collections.abc import Callable
from typing import Protocol

from cody_hosts.github.pace import Pace, PaceLimits


class Turns(Protocol):
    """What all who use the same identity have to agree about. Times are seconds from now."""

    async def take(self, lane: str) -> float:
        """Take the next turn to make content; when it comes."""
        ...

    async def went(self, lane: str) -> None:
        """The request of the turn that was taken last is over."""
        ...

    async def give_back(self, lane: str) -> None:
        """The turn that was taken last was not used."""
        ...

    async def pause(self, lane: str, seconds: float) -> None:
        """Nobody asks for so long."""
        ...

    async def paused(self, lane: str) -> float: ...

    def wait(self, lane: str) -> float:
        """About when the next turn comes; takes none."""
        ...


class OwnTurns:
    """For a process that uses its identities alone."""

    def __init__(self, limits: PaceLimits, clock: Callable[[], float], *, minute: float = 60.0) -> None:
        self._limits = limits
        self._clock = clock
        self._minute = minute
        self._paces: dict[str, Pace] = {}
        self._paused: dict[str, float] = {}

    async def take(self, lane: str) -> float:
        return self._pace(lane).take(self._clock())

    async def went(self, lane: str) -> None:
        self._pace(lane).went(self._clock())

    async def give_back(self, lane: str) -> None:
        self._pace(lane).give_back()

    async def pause(self, lane: str, seconds: float) -> None:
        self._paused[lane] = max(self._paused.get(lane, 0.0), self._clock() + seconds)

    async def paused(self, lane: str) -> float:
        return max(0.0, self._paused.get(lane, float("-inf")) - self._clock())

    def wait(self, lane: str) -> float:
        return self._pace(lane).wait(self._clock())

    def _pace(self, lane: str) -> Pace:
        if lane not in self._paces:
            self._paces[lane] = Pace(self._limits, minute=self._minute)
        return self._paces[lane]

"""The room of one key and model, as this worker sees it: calls stand in one line, whose head asks the store."""

import asyncio
import random
from collections.abc import Callable

from msgspec import Struct

from cody_jobs.errors import Unavailable
from cody_jobs.ports.room_store import NO_NEWS, Room, RoomLimits, RoomNews, RoomStore, Turn
from cody_runtime.logs import get_logger
from cody_worker.claude.governor.amounts import NOTHING, add, covers, minus, times, together
from cody_worker.claude.governor.estimate import Estimate
from cody_worker.claude.governor.last_share import LastShare
from cody_worker.claude.governor.own_room import OwnRoomStore
from cody_worker.claude.governor.window import Window

log = get_logger(__name__)

_LONG_SECONDS = 2.0
_AWAY_SECONDS = 10.0
"""So long the store is left alone after it did not answer."""


class Shared(Struct, frozen=True):
    """What all lanes of a worker have in common. `minute` is how many of the clock's seconds a minute takes; `soon`
    and `at_once` are called when a lane has something for the store."""

    rooms: RoomStore
    ceilings: RoomLimits
    clock: Callable[[], float]
    minute: float
    chance: random.Random
    soon: Callable[[], None]
    at_once: Callable[[], None]

    @property
    def second(self) -> float:
        return self.minute / 60


class Lane:
    """`name` is the store's, `model` is for people."""

    def __init__(self, name: str, model: str, shared: Shared) -> None:
        self.model = model
        self.window = Window()
        self.estimate = Estimate(shared.clock)
        self._name = name
        self._shared = shared
        self._line = asyncio.Lock()
        self._news = NO_NEWS
        self._share = NOTHING
        self._share_until = 0.0
        self._not_before = 0.0
        self._overloaded_until = float("-inf")
        self._limits: RoomLimits | None = None
        self._last_share = LastShare(shared.minute)
        self._own: OwnRoomStore | None = None
        self._away_until = 0.0
        self._said = False

    @property
    def limits(self) -> RoomLimits:
        """Those in force, as far as they are known."""
        return self._limits or RoomLimits()

    async def take(self, need: Room) -> Room:
        """Wait until a call may go. What it was given may be less than it needs, where that is more than there is."""
        async with self._line:
            await self._sit_out_pause()
            if covers(self._share, need) and self._shared.clock() < self._share_until:
                self._share = minus(self._share, need)
                return need
            return await self._take_turn(need)

    def tell(self, news: RoomNews) -> None:
        """For the store, with the next turn or soon. A pause holds at once."""
        self._news = together(self._news, news)
        self._pause(news.pause)
        if news.overloaded:  # the window has been cut already
            self._overloaded_until = self._shared.clock() + news.pause
        (self._shared.at_once if news.pause else self._shared.soon)()

    async def hand_in(self) -> None:
        """Give the store the news, and what is left of a share that nobody uses."""
        if self._share != NOTHING and self._shared.clock() >= self._share_until:
            self._news = together(self._news, RoomNews(back=self._share))
            self._share = NOTHING
        if self._news != NO_NEWS:
            turn = await self._ask(NOTHING)
            self._heed(turn)
        if self._share != NOTHING:
            self._shared.soon()

    def give_all_back(self) -> None:
        self._share_until = 0.0

    async def _take_turn(self, need: Room) -> Room:
        turn = await self._ask(need)
        try:
            await self._wait(turn)
        except asyncio.CancelledError:
            self.tell(RoomNews(back=turn.room))
            raise
        each = times(turn.room, 1 / turn.calls)
        self._share = add(self._share, minus(turn.room, each))
        self._share_until = self._shared.clock() + self._shared.second
        if turn.calls > 1:
            self._shared.soon()
        return each

    async def _wait(self, turn: Turn) -> None:
        """Others may have met a limit meanwhile, so who has waited for long looks again."""
        self._say(max(turn.wait, turn.pause), turn.scarce or "a pause")
        self._heed(turn)
        if turn.wait:
            await asyncio.sleep(turn.wait)
        if turn.wait > self._shared.second / 4:
            self._heed(await self._ask(NOTHING))
        await self._sit_out_pause()

    async def _sit_out_pause(self) -> None:
        while (seconds := self._not_before - self._shared.clock()) > 0:
            self._say(seconds, "a pause")
            await asyncio.sleep(seconds)

    def _heed(self, turn: Turn) -> None:
        # Those who waited for the same end do not come back at the same moment.
        self._pause(turn.pause * self._shared.chance.uniform(1.0, 1.1))
        if turn.overloaded and (now := self._shared.clock()) > self._overloaded_until:
            self.window.cut(now, now)
            self._overloaded_until = now + turn.pause

    def _pause(self, seconds: float) -> None:
        if seconds > 0:
            self._not_before = max(self._not_before, self._shared.clock() + seconds)

    async def _ask(self, need: Room) -> Turn:
        """The store, or where it is away, ourselves, within what we had lately."""
        news, self._news, now = self._news, NO_NEWS, self._shared.clock()
        if self._own is None or now >= self._away_until:
            try:
                turn = await self._take_or_tell(self._shared.rooms, need, news)
            except Unavailable as error:
                self._go_on_alone(error, need)
            else:
                self._last_share.took(now, turn.room)
                self._limits, self._own = turn.limits, None
                return turn
        assert self._own is not None
        # What limits there are was known to the store: here, a share of them is what counts.
        return await self._take_or_tell(self._own, need, RoomNews(left=news.left, back=news.back))

    async def _take_or_tell(self, rooms: RoomStore, need: Room, news: RoomNews) -> Turn:
        if need == NOTHING:
            return await rooms.tell(self._name, news, ceilings=self._shared.ceilings)
        return await rooms.take(self._name, need, ceilings=self._shared.ceilings, news=news)

    def _go_on_alone(self, error: Unavailable, need: Room) -> None:
        shared, now = self._shared, self._shared.clock()
        self._away_until = now + _AWAY_SECONDS
        if self._own is not None:
            return
        log.warning("claude_room_store_away", model=self.model, error=str(error))
        if self._limits is None:
            self._own = OwnRoomStore(shared.clock, minute=shared.minute)
            return
        limits = self._last_share.limits(now, self._limits, need)
        self._own = OwnRoomStore(shared.clock, minute=shared.minute, first=limits, first_room=need)

    def _say(self, seconds: float, what: str) -> None:
        """Once for each time that room is short."""
        if seconds > _LONG_SECONDS and not self._said:
            log.info("claude_waits_for_room", model=self.model, what=what.replace("_", " "), seconds=round(seconds, 1))
        self._said = seconds > _LONG_SECONDS or (self._said and seconds > 0)

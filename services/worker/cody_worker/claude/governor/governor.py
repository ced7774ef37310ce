"""One governor for each worker: every call gets a place, which waits until there is room for it under the limits."""

import asyncio
import hashlib
import random
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager, suppress

from msgspec.structs import asdict

from cody_jobs.ports.room_store import Room, RoomLimits, RoomNews, RoomStore
from cody_runtime.logs import get_logger
from cody_worker.claude.claude import ClaudeRequest
from cody_worker.claude.errors import Trouble
from cody_worker.claude.governor.amounts import NOTHING, minus
from cody_worker.claude.governor.estimate import counted
from cody_worker.claude.governor.lane import Lane, Shared
from cody_worker.claude.governor.told import told_left, told_limits
from cody_worker.claude.meters import GovernorMeters
from cody_worker.claude.prices import TokenCounts

log = get_logger(__name__)

_TOO_LARGE = 0.8
_LAST_SECONDS = 5.0


@asynccontextmanager
async def open_governor(
    rooms: RoomStore,
    *,
    account: str,
    ceilings: RoomLimits,
    clock: Callable[[], float],
    chance: random.Random,
    minute: float = 60.0,
) -> AsyncGenerator["Governor"]:
    """`account` names who asks (see `account_of`), `ceilings` are the operator's limits. `minute` is how many of the
    clock's seconds a minute of the limits takes. At the end, what is not needed goes back to the store."""
    governor = Governor(rooms, account, ceilings, clock, chance, minute)
    handing_in = asyncio.create_task(governor.hand_in_for_ever(), name="hand-in-room")
    try:
        yield governor
    finally:
        handing_in.cancel()
        await asyncio.gather(handing_in, return_exceptions=True)
        await governor.give_back()


def account_of(url: str, key: str) -> str:
    """The same for all who share limits; a key cannot be guessed from it."""
    return hashlib.sha256(f"{url.rstrip('/')} {key}".encode()).hexdigest()[:32]


class Governor:
    def __init__(
        self,
        rooms: RoomStore,
        account: str,
        ceilings: RoomLimits,
        clock: Callable[[], float],
        chance: random.Random,
        minute: float,
    ) -> None:
        self._account = account
        self._clock = clock
        self._news = asyncio.Event()
        self._urgent = asyncio.Event()
        self._shared = Shared(rooms, ceilings, clock, minute, chance, self._soon, self._at_once)
        self._lanes: dict[str, Lane] = {}
        self._meters = GovernorMeters()

    @asynccontextmanager
    async def place(self, request: ClaudeRequest) -> AsyncGenerator["Place"]:
        """Wait for room for this call, and for its turn; hold it for the block."""
        lane, asked = self._lane(request.model), self._clock()
        async with lane.window.place():
            room = await lane.take(lane.estimate.before(request))
            started = self._clock()
            self._meters.waited(started - asked, request.model)
            place = Place(lane, request, room, self._meters, self._clock, waited=started - asked)
            try:
                yield place
            finally:
                place.leave()

    async def hand_in_for_ever(self) -> None:
        """News go to the store about once in a second (of a minute that has 60 of them), urgent ones at once."""
        while True:
            await self._news.wait()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._shared.second):
                    await self._urgent.wait()
            self._news.clear()
            self._urgent.clear()
            await self._hand_in()

    async def give_back(self) -> None:
        for lane in self._lanes.values():
            lane.give_all_back()
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_SECONDS):
                await self._hand_in()

    async def _hand_in(self) -> None:
        for lane in self._lanes.values():
            try:
                await lane.hand_in()
            except Exception:
                # Calls meet the same error in their own turn, and fail by it.
                log.exception("claude_room_not_handed_in", model=lane.model)

    def _lane(self, model: str) -> Lane:
        if model not in self._lanes:
            self._lanes[model] = Lane(f"{self._account}/{model}", model, self._shared)
        return self._lanes[model]

    def _soon(self) -> None:
        self._news.set()

    def _at_once(self) -> None:
        self._urgent.set()
        self._news.set()


class Place:
    """A call's place: hears what becomes of the call. `waited` is in seconds."""

    def __init__(
        self,
        lane: Lane,
        request: ClaudeRequest,
        room: Room,
        meters: GovernorMeters,
        clock: Callable[[], float],
        *,
        waited: float,
    ) -> None:
        self.waited = waited
        self._lane = lane
        self._request = request
        self._room = room
        self._meters = meters
        self._clock = clock
        self._started = clock()
        self._headers: Mapping[str, str] = {}
        self._known = False
        # Until more is known: it was taken in, and said nothing.
        self._used = Room(requests=room.requests, input_tokens=room.input_tokens)

    @property
    def too_large(self) -> bool:
        """The request may be more than a whole minute allows."""
        most = self._lane.limits.input_tokens
        return most is not None and self._lane.estimate.before(self._request).input_tokens > most * _TOO_LARGE

    def begun(self, headers: Mapping[str, str]) -> None:
        """The answer begins."""
        self._headers = headers
        self._tell(headers)

    def ended(self, tokens: TokenCounts, *, whole: bool) -> None:
        """`whole`: the answer did not break off. Only then it is known that it told all limits there are."""
        self._used, self._known = counted(tokens), True
        if whole:
            self._lane.tell(RoomNews(limits=told_limits(self._headers), whole=True))
            self._lane.estimate.answered(self._request, tokens)
            self._lane.window.answered()

    def failed(self, trouble: Trouble, headers: Mapping[str, str], pause: float) -> None:
        """`pause` is for how long this call is not tried again."""
        self._tell(headers)
        match trouble:
            case Trouble.LIMIT:
                self._limited(headers, pause)
            case Trouble.OVERLOAD:
                self._overloaded(pause)
            case Trouble.OTHER:
                pass

    def leave(self) -> None:
        self._lane.tell(RoomNews(back=minus(self._room, self._used)))

    def _limited(self, headers: Mapping[str, str], pause: float) -> None:
        """What was refused for a limit has used nothing of it. A limit that nobody tells is found by having fewer calls
        under way."""
        self._used = NOTHING
        self._meters.refused(429, self._request.model)
        if told_limits(headers) == RoomLimits():
            self._cut()
        self._lane.tell(RoomNews(left=told_left(headers), pause=pause))

    def _overloaded(self, pause: float) -> None:
        if not self._known:
            self._used = Room(requests=self._room.requests)
        self._meters.refused(529, self._request.model)
        if self._cut():
            self._lane.tell(RoomNews(pause=pause, overloaded=True))

    def _cut(self) -> bool:
        return self._lane.window.cut(self._started, self._clock())

    def _tell(self, headers: Mapping[str, str]) -> None:
        limits, left = told_limits(headers), told_left(headers)
        if limits == RoomLimits():
            return
        self._lane.tell(RoomNews(limits=limits, left=left))
        for kind, limit in asdict(limits).items():
            rest = getattr(left, kind)
            if limit and rest is not None:
                self._meters.used(kind, 1 - rest / limit, self._request.model)

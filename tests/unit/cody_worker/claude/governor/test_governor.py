"""Places under limits, with a store that may be away."""

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

import pytest
from msgspec import Raw

from cody_jobs.errors import Unavailable
from cody_jobs.outcomes import ThreadMessage
from cody_jobs.ports.room_store import BURST, NO_NEWS, Room, RoomLimits, RoomNews, Turn
from cody_worker.claude import ClaudeRequest
from cody_worker.claude.errors import Trouble
from cody_worker.claude.governor.governor import Governor, Place, account_of, open_governor
from cody_worker.claude.governor.own_room import OwnRoomStore
from cody_worker.claude.prices import TokenCounts
from tests.support.wait import wait_until

_LONG = 60_000.0
"""Seconds of a minute in which nothing comes back while a test runs."""
_LIMITS = RoomLimits(requests=100)
_REQUEST = ClaudeRequest(
    model="m", messages=(ThreadMessage(role="user", content=Raw(b'"hello"')),), tools=Raw(b"[]"), max_output_tokens=100
)
_LANE = "account/m"


class Rooms(OwnRoomStore):
    """A store that can be away, and counts what it is asked."""

    away = False
    asked = 0

    async def take(self, lane: str, need: Room, *, ceilings: RoomLimits, news: RoomNews = NO_NEWS) -> Turn:
        self._answer()
        return await super().take(lane, need, ceilings=ceilings, news=news)

    async def tell(self, lane: str, news: RoomNews, *, ceilings: RoomLimits) -> Turn:
        self._answer()
        return await super().tell(lane, news, ceilings=ceilings)

    def _answer(self) -> None:
        self.asked += 1
        if self.away:
            raise Unavailable("the store", "is away")

    async def set(self, limits: RoomLimits, left: RoomLimits | None = None) -> None:
        await self.tell(_LANE, RoomNews(limits=limits, left=left or limits, whole=True), ceilings=RoomLimits())

    async def wait_of_next(self) -> float:
        return (await self.take(_LANE, Room(requests=1), ceilings=RoomLimits())).wait


@pytest.fixture
async def rooms() -> Rooms:
    return Rooms(asyncio.get_running_loop().time, minute=_LONG)


def _opened(rooms: Rooms, *, minute: float = _LONG) -> AbstractAsyncContextManager[Governor]:
    return open_governor(
        rooms,
        account="account",
        ceilings=RoomLimits(),
        clock=asyncio.get_running_loop().time,
        chance=random.Random(1),
        minute=minute,
    )


@asynccontextmanager
async def _places(governor: Governor, number: int) -> AsyncGenerator[list[Place]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(governor.place(_REQUEST)) for _ in range(number)]


async def _hold(governor: Governor) -> None:
    async with governor.place(_REQUEST):
        await asyncio.Event().wait()


async def _gets_a_place(governor: Governor) -> bool:
    """Without waiting for room: a store that is away, or in this process, answers within a few turns of the loop."""
    inside = asyncio.Event()

    async def enter() -> None:
        async with governor.place(_REQUEST):
            inside.set()

    entering = asyncio.create_task(enter(), name="enter")
    for _ in range(50):
        await asyncio.sleep(0)
    await _give_up(entering)
    return inside.is_set()


async def _give_up(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_who_gives_up_waiting_gives_back_what_was_taken(rooms: Rooms) -> None:
    await rooms.set(_LIMITS, RoomLimits(requests=0))
    async with _opened(rooms) as governor:
        before = rooms.asked
        waiting = asyncio.create_task(_hold(governor), name="waiting")
        await wait_until(lambda: rooms.asked > before, "it has taken its turn")
        await _give_up(waiting)
    one = _LONG / _LIMITS.requests if _LIMITS.requests else 0
    assert await rooms.wait_of_next() == pytest.approx(one, rel=0.05)


async def test_what_is_left_of_a_share_goes_back_at_the_end(rooms: Rooms) -> None:
    await rooms.set(RoomLimits(requests=6_000))
    async with _opened(rooms) as governor:
        for _ in range(20):
            async with governor.place(_REQUEST) as place:
                place.ended(TokenCounts(input=1, cache_creation=0, cache_read=0, output=1), whole=False)
        assert rooms.asked < 10
    left = 0
    while not (turn := await rooms.take(_LANE, Room(requests=1), ceilings=RoomLimits())).wait:
        left += turn.calls
    assert left == pytest.approx(6_000 * BURST - 20, abs=12)


async def test_calls_go_on_within_their_last_share_while_the_store_is_away(rooms: Rooms) -> None:
    await rooms.set(RoomLimits(requests=50))
    async with _opened(rooms) as governor:
        async with _places(governor, 5):
            pass
        rooms.away = True
        assert await _gets_a_place(governor)
        assert not await _gets_a_place(governor)


async def test_a_worker_that_never_reached_the_store_is_careful(rooms: Rooms) -> None:
    rooms.away = True
    async with _opened(rooms) as governor, _places(governor, 4):
        assert not await _gets_a_place(governor)


async def test_a_store_that_was_away_is_asked_once_and_left_alone_for_a_while(rooms: Rooms) -> None:
    rooms.away = True
    async with _opened(rooms) as governor:
        async with _places(governor, 3):
            pass
        assert rooms.asked == 1


async def test_a_limit_that_one_worker_meets_makes_the_others_wait(rooms: Rooms) -> None:
    await rooms.set(_LIMITS)
    now = asyncio.get_running_loop().time
    async with _opened(rooms) as one, _opened(rooms) as other:
        begun, before = now(), rooms.asked
        async with one.place(_REQUEST) as place:
            place.failed(Trouble.LIMIT, {}, 0.2)
        await wait_until(lambda: rooms.asked >= before + 2, "the store has heard of it")
        async with other.place(_REQUEST) as place:
            assert now() - begun >= 0.2
            assert place.waited > 0


async def test_what_was_refused_for_a_limit_has_used_nothing(rooms: Rooms) -> None:
    await rooms.set(_LIMITS, RoomLimits(requests=3))
    async with _opened(rooms) as governor, governor.place(_REQUEST) as place:
        place.failed(Trouble.LIMIT, {}, 0)
    waits = [await rooms.wait_of_next() for _ in range(4)]
    assert waits[:3] == [0, 0, 0]
    assert waits[3] > 0


async def test_headers_of_an_answer_are_learned_by_everybody(rooms: Rooms) -> None:
    async with _opened(rooms) as governor, governor.place(_REQUEST) as place:
        place.begun({"anthropic-ratelimit-requests-limit": "10", "anthropic-ratelimit-requests-remaining": "9"})
        place.ended(TokenCounts(input=1, cache_creation=0, cache_read=0, output=1), whole=True)
    turn = await rooms.take(_LANE, Room(requests=1), ceilings=RoomLimits())
    assert turn.limits == RoomLimits(requests=10)


async def test_long_waiting_is_said_once(rooms: Rooms, capsys: pytest.CaptureFixture[str]) -> None:
    await rooms.set(_LIMITS, RoomLimits(requests=0))
    async with _opened(rooms) as governor:
        before = rooms.asked
        waiting = [asyncio.create_task(_hold(governor), name="waiting") for _ in range(3)]
        await wait_until(lambda: rooms.asked > before, "the first one waits")
        await _give_up(*waiting)
    said = capsys.readouterr().out
    assert said.count("claude_waits_for_room") == 1
    assert "what=requests" in said


def test_an_account_is_named_by_nothing_that_gives_its_key_away() -> None:
    name = account_of("https://api.anthropic.com", "sk-secret")
    assert "secret" not in name
    assert name == account_of("https://api.anthropic.com/", "sk-secret") != account_of("https://x", "sk-secret")

"""Room under rate limits. The minute of these tests takes most of a day, so that time passes only where a test says."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from msgspec.structs import replace

from cody_backends.postgres.database import Database
from cody_backends.postgres.room_store import PostgresRoomStore
from cody_jobs.ports.room_store import BURST, FIRST_ROOM, PACE, Room, RoomLimits, RoomNews, RoomStore
from cody_worker.claude.governor.own_room import OwnRoomStore

TimePasses = Callable[[float], Awaitable[None]]

_MINUTE = 60_000.0
_NONE = RoomLimits()
_ONE = Room(requests=1, input_tokens=1_000, output_tokens=100)
_LIMITS = RoomLimits(requests=100, input_tokens=200_000, output_tokens=50_000)


def _told(limits: RoomLimits, left: RoomLimits | None = None) -> RoomNews:
    return RoomNews(limits=limits, left=left or limits, whole=True)


def _close(expected: float) -> object:
    """What comes back while a test runs does not matter."""
    return pytest.approx(expected, rel=0.01, abs=0.5)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["postgres", "own"])
def rooms(request: pytest.FixtureRequest, clock: Clock) -> RoomStore:
    if request.param == "own":
        return OwnRoomStore(clock, minute=_MINUTE)
    return PostgresRoomStore(request.getfixturevalue("database"), minute=_MINUTE)


@pytest.fixture
def minutes_pass(rooms: RoomStore, clock: Clock, request: pytest.FixtureRequest) -> TimePasses:
    database: Database | None = request.getfixturevalue("database") if isinstance(rooms, PostgresRoomStore) else None

    async def pass_on(minutes: float) -> None:
        clock.now += minutes * _MINUTE
        if database is not None:
            async with database.connection() as connection:
                await connection.execute(
                    "UPDATE claude_room SET filled_at = filled_at - $1::interval, paused_until = paused_until - $1",
                    timedelta(seconds=minutes * _MINUTE),
                )

    return pass_on


async def _calls_without_waiting(rooms: RoomStore, need: Room, *, lane: str = "lane") -> int:
    """How many calls there is room for now; one more was taken, which overdraws."""
    calls = 0
    while (turn := await rooms.take(lane, need, ceilings=_NONE)).wait == 0:
        calls += turn.calls
    return calls


async def test_nobody_may_ask_much_before_the_limits_are_known(rooms: RoomStore) -> None:
    assert await _calls_without_waiting(rooms, _ONE) == FIRST_ROOM.requests


async def test_the_first_answer_tells_the_limits_and_what_is_on_its_way_counts(rooms: RoomStore) -> None:
    for _ in range(4):
        await rooms.take("lane", _ONE, ceilings=_NONE)
    turn = await rooms.tell("lane", _told(_LIMITS, replace(_LIMITS, requests=99)), ceilings=_NONE)
    assert turn.limits == _LIMITS
    assert turn.room == Room()
    assert await _calls_without_waiting(rooms, _ONE) == 95


async def test_without_limits_nobody_waits_and_a_turn_is_for_many_calls(rooms: RoomStore) -> None:
    await rooms.tell("lane", RoomNews(whole=True), ceilings=_NONE)
    turn = await rooms.take("lane", _ONE, ceilings=_NONE)
    assert (turn.wait, turn.scarce, turn.limits) == (0, None, _NONE)
    assert turn.calls > 10
    assert turn.room.input_tokens == turn.calls * _ONE.input_tokens


async def test_just_less_than_the_limit_is_used_at_once(rooms: RoomStore) -> None:
    await rooms.tell("lane", _told(_LIMITS), ceilings=_NONE)
    assert await _calls_without_waiting(rooms, Room(requests=1)) == int(100 * BURST)


async def test_what_is_scarce_is_waited_for_in_turn(rooms: RoomStore) -> None:
    await rooms.tell("lane", _told(_LIMITS, replace(_LIMITS, input_tokens=0)), ceilings=_NONE)
    turns = [await rooms.take("lane", _ONE, ceilings=_NONE) for _ in range(3)]
    each = _ONE.input_tokens / (200_000 * PACE) * _MINUTE
    assert [turn.wait for turn in turns] == [_close(each), _close(2 * each), _close(3 * each)]
    assert {turn.scarce for turn in turns} == {"input_tokens"}
    assert [turn.calls for turn in turns] == [1, 1, 1]


async def test_room_comes_back_continuously_and_up_to_the_brim(rooms: RoomStore, minutes_pass: TimePasses) -> None:
    await rooms.tell("lane", _told(_LIMITS, replace(_LIMITS, requests=0)), ceilings=_NONE)
    await minutes_pass(0.1)
    assert await _calls_without_waiting(rooms, Room(requests=1)) == int(10 * PACE)
    await minutes_pass(10)
    assert await _calls_without_waiting(rooms, Room(requests=1)) == int(100 * BURST)


async def test_what_was_not_needed_comes_back_and_what_was_used_beyond_is_gone(rooms: RoomStore) -> None:
    await rooms.tell("lane", _told(_LIMITS, replace(_LIMITS, requests=0)), ceilings=_NONE)
    await rooms.tell("lane", RoomNews(back=Room(requests=7)), ceilings=_NONE)
    await rooms.tell("lane", RoomNews(back=Room(requests=-2)), ceilings=_NONE)
    assert await _calls_without_waiting(rooms, Room(requests=1)) == 5


async def test_news_can_be_handed_in_with_the_next_turn(rooms: RoomStore) -> None:
    await rooms.tell("lane", _told(_LIMITS, replace(_LIMITS, requests=0)), ceilings=_NONE)
    turn = await rooms.take("lane", Room(requests=1), ceilings=_NONE, news=RoomNews(back=Room(requests=1)))
    assert turn.wait == 0


async def test_what_others_use_outside_of_the_store_is_believed(rooms: RoomStore) -> None:
    await rooms.tell("lane", _told(_LIMITS), ceilings=_NONE)
    await rooms.tell("lane", _told(_LIMITS, replace(_LIMITS, requests=3)), ceilings=_NONE)
    await rooms.tell("lane", _told(_LIMITS, replace(_LIMITS, requests=50)), ceilings=_NONE)
    assert await _calls_without_waiting(rooms, Room(requests=1)) == 3


async def test_an_error_that_tells_one_limit_leaves_the_others(rooms: RoomStore) -> None:
    await rooms.tell("lane", _told(_LIMITS), ceilings=_NONE)
    turn = await rooms.tell(
        "lane", RoomNews(limits=RoomLimits(requests=40), left=RoomLimits(requests=0)), ceilings=_NONE
    )
    assert turn.limits == replace(_LIMITS, requests=40)


async def test_a_limit_that_is_told_no_more_is_none(rooms: RoomStore) -> None:
    await rooms.tell("lane", _told(_LIMITS), ceilings=_NONE)
    await rooms.tell("lane", _told(RoomLimits(requests=40)), ceilings=_NONE)
    turn = await rooms.take("lane", _ONE, ceilings=_NONE)
    assert turn.limits == RoomLimits(requests=40)


async def test_a_ceiling_holds_where_it_is_lower(rooms: RoomStore) -> None:
    ceilings = RoomLimits(requests=10, input_tokens=1_000_000)
    await rooms.tell("lane", _told(_LIMITS), ceilings=ceilings)
    turn = await rooms.take("lane", _ONE, ceilings=ceilings)
    assert turn.limits == replace(_LIMITS, requests=10)
    waits = [(await rooms.take("lane", Room(requests=1), ceilings=ceilings)).wait for _ in range(9)]
    assert (waits[-2], waits[-1] > 0) == (0, True)


async def test_a_ceiling_holds_where_no_limit_is_told(rooms: RoomStore) -> None:
    ceilings = RoomLimits(requests=10)
    await rooms.tell("lane", RoomNews(whole=True), ceilings=ceilings)
    for _ in range(4):
        assert (await rooms.take("lane", _ONE, ceilings=ceilings)).wait == 0
    assert (await rooms.take("lane", _ONE, ceilings=ceilings)).scarce == "requests"


async def test_a_pause_is_for_everybody_and_ends(rooms: RoomStore, minutes_pass: TimePasses) -> None:
    await rooms.tell("lane", _told(_LIMITS), ceilings=_NONE)
    await rooms.tell("lane", RoomNews(pause=_MINUTE), ceilings=_NONE)
    await rooms.tell("lane", RoomNews(pause=_MINUTE / 2), ceilings=_NONE)
    turn = await rooms.take("lane", _ONE, ceilings=_NONE)
    assert (turn.pause, turn.overloaded) == (_close(_MINUTE), False)
    assert (await rooms.take("another", _ONE, ceilings=_NONE)).pause == 0
    await minutes_pass(1.1)
    assert (await rooms.take("lane", _ONE, ceilings=_NONE)).pause == 0


async def test_a_pause_tells_whether_the_server_is_overloaded(rooms: RoomStore) -> None:
    await rooms.tell("lane", RoomNews(pause=_MINUTE, overloaded=True), ceilings=_NONE)
    assert (await rooms.take("lane", _ONE, ceilings=_NONE)).overloaded


async def test_a_call_larger_than_the_bucket_waits_for_a_full_one(rooms: RoomStore) -> None:
    await rooms.tell("lane", _told(_LIMITS), ceilings=_NONE)
    huge = Room(requests=1, input_tokens=5_000_000)
    assert (await rooms.take("lane", huge, ceilings=_NONE)).wait == 0
    turn = await rooms.take("lane", huge, ceilings=_NONE)
    assert (turn.wait, turn.room.input_tokens) == (_close(_MINUTE * BURST / PACE), _close(200_000 * BURST))


async def test_a_fast_lane_gives_room_for_several_calls_until_it_is_used_up(rooms: RoomStore) -> None:
    limits = RoomLimits(requests=3_000)
    await rooms.tell("lane", _told(limits), ceilings=_NONE)
    turns = [await rooms.take("lane", _ONE, ceilings=_NONE) for _ in range(200)]
    first, last = turns[0], turns[-1]
    assert first.calls > last.calls >= 3_000 // 600
    assert sum(turn.calls for turn in turns if not turn.wait) <= 3_000 * BURST
    assert sum(turn.wait > 0 for turn in turns) > 0


async def test_lanes_do_not_share(rooms: RoomStore) -> None:
    await rooms.tell("one", _told(_LIMITS, replace(_LIMITS, requests=0)), ceilings=_NONE)
    await rooms.tell("two", _told(_LIMITS), ceilings=_NONE)
    assert (await rooms.take("one", _ONE, ceilings=_NONE)).wait > 0
    assert (await rooms.take("two", _ONE, ceilings=_NONE)).wait == 0


async def test_many_at_once_take_each_call_once(rooms: RoomStore) -> None:
    await rooms.tell("lane", _told(_LIMITS), ceilings=_NONE)
    turns = await asyncio.gather(*(rooms.take("lane", Room(requests=1), ceilings=_NONE) for _ in range(120)))
    assert sum(turn.calls for turn in turns if not turn.wait) == int(100 * BURST)
    waits = sorted(turn.wait for turn in turns if turn.wait)
    assert waits[-1] == _close(len(waits) / (100 * PACE) * _MINUTE)


async def test_many_who_open_a_lane_at_once_open_one(rooms: RoomStore) -> None:
    turns = await asyncio.gather(*(rooms.take("lane", Room(requests=1), ceilings=_NONE) for _ in range(20)))
    assert sum(turn.wait == 0 for turn in turns) == FIRST_ROOM.requests

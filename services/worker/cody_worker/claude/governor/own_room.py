"""Room under rate limits in this process alone: where there is no store, and while the store is away."""

import math
from collections.abc import Callable, Iterator, Mapping

from msgspec import Struct
from msgspec.structs import asdict

from cody_jobs.ports.room_store import (
    BURST,
    FIRST_GUESS,
    FIRST_ROOM,
    MOST_CALLS,
    NO_NEWS,
    PACE,
    Room,
    RoomLimits,
    RoomNews,
    Turn,
)

KINDS = Room.__struct_fields__


class OwnRoomStore:
    """Implements `RoomStore`. `minute` is how many of the clock's seconds a minute of the limits takes; `first` and
    `first_room` are what a lane begins with."""

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        minute: float = 60.0,
        first: RoomLimits = FIRST_GUESS,
        first_room: Room = FIRST_ROOM,
    ) -> None:
        self._clock = clock
        self._minute = minute
        self._first = (first, first_room)
        self._lanes: dict[str, _Lane] = {}

    async def take(self, lane: str, need: Room, *, ceilings: RoomLimits, news: RoomNews = NO_NEWS) -> Turn:
        return self._deal(lane, need, ceilings, news)

    async def tell(self, lane: str, news: RoomNews, *, ceilings: RoomLimits) -> Turn:
        return self._deal(lane, Room(), ceilings, news)

    def _deal(self, name: str, need: Room, ceilings: RoomLimits, news: RoomNews) -> Turn:
        now = self._clock()
        if name not in self._lanes:
            self._lanes[name] = _Lane(now, *self._first)
        lane = self._lanes[name]
        lane.learn(news, ceilings, now, self._minute)
        return lane.take(need, now, self._minute)


class _Bucket(Struct):
    """`most`: the limit in force, the operator's or the told one."""

    limit: float | None
    level: float | None
    most: float | None


class _Lane:
    def __init__(self, now: float, first: RoomLimits, first_room: Room) -> None:
        limits, levels = asdict(first), asdict(first_room)
        self._first_room = levels
        self._buckets = {kind: _Bucket(limits[kind], levels[kind], limits[kind]) for kind in KINDS}
        self._filled_at = now
        self._known = False
        self._paused_until = -math.inf
        self._overloaded = False

    def learn(self, news: RoomNews, ceilings: RoomLimits, now: float, minute: float) -> None:
        told, left, back, most = asdict(news.limits), asdict(news.left), asdict(news.back), asdict(ceilings)
        minutes, self._filled_at = max(0.0, now - self._filled_at) / minute, now
        for kind, bucket in self._buckets.items():
            before = _filled(bucket, _least(bucket.limit, most[kind]), minutes)
            flying = 0.0 if self._known else self._first_room[kind] - min(before or 0.0, self._first_room[kind])
            remaining = None if left[kind] is None else left[kind] - flying
            bucket.limit = told[kind] if news.whole or told[kind] is not None else bucket.limit
            bucket.most = _least(bucket.limit, most[kind])
            guessed = before is None or (remaining is not None and not self._known)
            bucket.level = _bounded(bucket.most, None if guessed else before + back[kind], remaining)
        self._known = self._known or news.whole or news.limits != RoomLimits()
        if news.pause:
            self._paused_until, self._overloaded = max(self._paused_until, now + news.pause), news.overloaded

    def take(self, need: Room, now: float, minute: float) -> Turn:
        each = {kind: self._each(kind, amount) for kind, amount in asdict(need).items()}
        calls = 1 + min([MOST_CALLS - 1, *self._more(each)])
        waits = dict(self._waits(each, minute))
        for kind, bucket in self._buckets.items():
            bucket.level = None if bucket.level is None else bucket.level - each[kind] * calls
        scarce = max(waits, key=waits.__getitem__, default=None)
        pause = max(0.0, self._paused_until - now)
        return Turn(
            room=Room(**{kind: amount * calls for kind, amount in each.items()}),
            calls=calls,
            wait=waits[scarce] if scarce else 0.0,
            scarce=scarce,
            pause=pause,
            overloaded=pause > 0 and self._overloaded,
            limits=RoomLimits(**{kind: bucket.most for kind, bucket in self._buckets.items()}),
        )

    def _each(self, kind: str, need: float) -> float:
        most = self._buckets[kind].most
        return need if most is None else min(need, most * BURST)

    def _more(self, each: Mapping[str, float]) -> Iterator[int]:
        """Further calls that a turn may have room for, by each limit: what comes back in a tenth of a second, or an
        eighth of what is there, of which no more than a second brings back."""
        for kind, bucket in self._buckets.items():
            if bucket.most is not None and bucket.level is not None and each[kind] > 0:
                spare, second = (bucket.level - each[kind]) / 8, bucket.most / 60
                yield max(0, int(second / 10 // each[kind]), int(min(spare, second) // each[kind]))

    def _waits(self, each: Mapping[str, float], minute: float) -> Iterator[tuple[str, float]]:
        for kind, bucket in self._buckets.items():
            if bucket.most is not None and bucket.level is not None and bucket.level < each[kind]:
                yield kind, (each[kind] - bucket.level) / (bucket.most * PACE) * minute


def _filled(bucket: _Bucket, most: float | None, minutes: float) -> float | None:
    if most is None:
        return None
    level = most * BURST if bucket.level is None else bucket.level
    return min(most * BURST, level + most * PACE * minutes)


def _bounded(most: float | None, *levels: float | None) -> float | None:
    if most is None:
        return None
    return max(-most * BURST, min(level for level in (most * BURST, *levels) if level is not None))


def _least(*limits: float | None) -> float | None:
    return min((limit for limit in limits if limit is not None), default=None)

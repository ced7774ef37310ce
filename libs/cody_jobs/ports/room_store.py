"""Room under rate limits of so much a minute, shared by all who use the same key."""

from typing import Protocol, runtime_checkable

from msgspec import Struct

BURST, PACE = 0.96, 0.99
"""So much of a limit is used: of what a minute allows at once, and of the speed at which it comes back. The rest is for
clocks that differ, and for what is on its way."""

MOST_CALLS = 64


class Room(Struct, frozen=True, kw_only=True):
    """What calls need, or have used."""

    requests: float = 0.0
    input_tokens: float = 0.0
    output_tokens: float = 0.0


class RoomLimits(Struct, frozen=True, kw_only=True):
    """So much a minute; None: no limit, or none that is known."""

    requests: float | None = None
    input_tokens: float | None = None
    output_tokens: float | None = None


FIRST_GUESS = RoomLimits(requests=50, input_tokens=30_000, output_tokens=8_000)
"""The limits until the first answer tells them: those of a new account."""
FIRST_ROOM = Room(requests=4, input_tokens=30_000 * BURST, output_tokens=8_000 * BURST)
"""What may be used at once before the first answer, by all together."""


class RoomNews(Struct, frozen=True, kw_only=True):
    """What was learned since the last news.

    `limits` and `left` are what an answer told; `whole`: it was one that tells all limits there are. `back` was taken
    and is not needed; less than nothing was used beyond what was taken. `pause` is for how many seconds nobody should
    ask, and `overloaded` whether that is for want of the server's strength rather than for a limit.
    """

    limits: RoomLimits = RoomLimits()
    left: RoomLimits = RoomLimits()
    whole: bool = False
    back: Room = Room()
    pause: float = 0.0
    overloaded: bool = False


NO_NEWS = RoomNews()


class Turn(Struct, frozen=True, kw_only=True):
    """`room` has been taken, and is enough for `calls` calls like the one that was asked for. The first of them may go
    in `wait` seconds, which is how long `scarce` (a field of `Room`) lasts to come back. Until `pause` seconds are
    over, nobody goes. `limits` are those in force."""

    room: Room
    calls: int
    wait: float
    scarce: str | None
    pause: float
    overloaded: bool
    limits: RoomLimits


@runtime_checkable
class RoomStore(Protocol):
    """A token bucket of requests, of input and of output tokens for each lane (a key and a model). It fills up
    continuously, up to a part (`BURST`) of what the limit allows in a minute, at a part (`PACE`) of its speed.

    A bucket can be overdrawn, by at most what it holds: who takes then is told how long to wait. So turns come in the
    order in which they were asked for, without asking again; who dies meanwhile leaves nothing behind but an unused
    turn. What an answer says is left is believed where it is less. Until a lane's limits are known, little of them may
    be used at once (`FIRST_ROOM`).

    `ceilings` are limits that an operator has set: the lower one holds. Each call is tried once, for a few seconds, and
    raises `Unavailable`: to try again is to take again.
    """

    async def take(self, lane: str, need: Room, *, ceilings: RoomLimits, news: RoomNews = NO_NEWS) -> Turn:
        """Take room for one call, or for several where that is little of what there is: fewer trips for a fast lane.

        What one call needs beyond all that a bucket holds is not asked for.
        """
        ...

    async def tell(self, lane: str, news: RoomNews, *, ceilings: RoomLimits) -> Turn:
        """Hand in news and take nothing; the answer tells of a pause."""
        ...

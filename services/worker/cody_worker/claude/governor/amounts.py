"""Arithmetic with room, and with news about it."""

from msgspec.structs import asdict, replace

from cody_jobs.ports.room_store import Room, RoomLimits, RoomNews

NOTHING = Room()


def add(one: Room, other: Room) -> Room:
    return Room(
        requests=one.requests + other.requests,
        input_tokens=one.input_tokens + other.input_tokens,
        output_tokens=one.output_tokens + other.output_tokens,
    )


def minus(one: Room, other: Room) -> Room:
    return add(one, times(other, -1))


def times(room: Room, factor: float) -> Room:
    return Room(
        requests=room.requests * factor,
        input_tokens=room.input_tokens * factor,
        output_tokens=room.output_tokens * factor,
    )


def covers(share: Room, need: Room) -> bool:
    return (
        share.requests >= need.requests
        and share.input_tokens >= need.input_tokens
        and share.output_tokens >= need.output_tokens
    )


def together(news: RoomNews, later: RoomNews) -> RoomNews:
    """Both in one."""
    longer = later if later.pause >= news.pause else news
    return replace(
        later,
        limits=later.limits if later.whole else _over(news.limits, later.limits),
        left=_over(news.left, later.left),
        whole=news.whole or later.whole,
        back=add(news.back, later.back),
        pause=longer.pause,
        overloaded=longer.overloaded,
    )


def _over(told: RoomLimits, later: RoomLimits) -> RoomLimits:
    return replace(told, **{kind: value for kind, value in asdict(later).items() if value is not None})

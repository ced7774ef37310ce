"""What an answer of the Messages API tells about the limits.

The time of `-reset`, when a bucket is full again, follows from limit and rest, and to use it two clocks would have to
agree.
"""

from collections.abc import Mapping

from cody_jobs.ports.room_store import RoomLimits

_HEADERS = {kind: f"anthropic-ratelimit-{kind.replace('_', '-')}" for kind in RoomLimits.__struct_fields__}


def told_limits(headers: Mapping[str, str]) -> RoomLimits:
    return RoomLimits(**{kind: _number(headers.get(f"{name}-limit")) for kind, name in _HEADERS.items()})


def told_left(headers: Mapping[str, str]) -> RoomLimits:
    return RoomLimits(**{kind: _number(headers.get(f"{name}-remaining")) for kind, name in _HEADERS.items()})


def _number(text: str | None) -> float | None:
    """A header that no server of sense sends is as good as none: nobody waits for ever because of it."""
    if text is None or not text.isascii() or not text.isdigit():
        return None
    return float(text)

"""What answers of GitHub tell about its limits, and what follows from it: decisions alone, on a clock that is given.

https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
"""

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from enum import StrEnum

from msgspec import Struct

SECONDARY_SECONDS = 60.0
"""So long at least nobody asks after a secondary limit that names no time; twice that after the next one, and so on."""
SECONDARY_MOST = 3_600.0
_RESET_MARGIN = 1.0
"""Times are told in whole seconds."""
_NUMBER = re.compile(r"[0-9]{1,12}(\.[0-9]{1,9})?")
_SECONDARY_WORDS = ("secondary rate limit", "abuse detection")


class Resource(StrEnum):
    """What has a primary limit of its own."""

    CORE = "core"
    SEARCH = "search"
    CODE_SEARCH = "code_search"
    GRAPHQL = "graphql"


class Told(Struct, frozen=True, kw_only=True):
    """The headers of one answer. `reset` is in seconds from now."""

    resource: str | None = None
    limit: int | None = None
    remaining: int | None = None
    reset: float | None = None
    retry_after: float | None = None


class Refusal(Struct, frozen=True, kw_only=True):
    """Refused for a limit. `after` is in seconds, where GitHub said it; a secondary limit holds for all resources."""

    secondary: bool
    after: float | None


def read_headers(headers: Mapping[str, str], *, now: float) -> Told:
    """`now` is the present in seconds since 1970, for an answer without a date of its own."""
    reset = _number(headers.get("x-ratelimit-reset"))
    limit, remaining = _number(headers.get("x-ratelimit-limit")), _number(headers.get("x-ratelimit-remaining"))
    return Told(
        resource=headers.get("x-ratelimit-resource"),
        limit=None if limit is None else int(limit),
        remaining=None if remaining is None else int(remaining),
        reset=None if reset is None else max(0.0, reset - _server_time(headers, now)) + _RESET_MARGIN,
        retry_after=_number(headers.get("retry-after")),
    )


def read_refusal(status: int, told: Told, message: str) -> Refusal | None:
    """None: the answer is about something else than a limit, such as a permission."""
    if status not in {403, 429}:
        return None
    if told.retry_after is not None:
        return Refusal(secondary=True, after=told.retry_after)
    if told.remaining == 0:
        return Refusal(secondary=False, after=told.reset)
    if status == 429 or any(words in message.lower() for words in _SECONDARY_WORDS):
        return Refusal(secondary=True, after=None)
    return None


class LaneLimits:
    """The limits of one identity. Times are those of one clock, in seconds; `minute` is how many of them a minute of
    the limits takes."""

    def __init__(self, *, minute: float = 60.0) -> None:
        self._minute = minute
        self._paused_until = float("-inf")
        self._refused_in_a_row = 0
        self._left: dict[str, _Left] = {}
        self._unlimited: set[Resource] = set()

    def wait(self, resource: Resource, now: float) -> float:
        """Seconds until a request may go."""
        left = self._left.get(resource)
        until = self._paused_until if left is None else max(self._paused_until, left.until(now))
        return max(0.0, until - now)

    def is_known(self, resource: Resource, now: float) -> bool:
        """Whether an answer has told what there is in the present window, or that there are no limits."""
        left = self._left.get(resource)
        return resource in self._unlimited or (left is not None and now < left.reset_at)

    def starts(self, resource: Resource, now: float) -> None:
        left = self._left.get(resource)
        if left is not None and now < left.reset_at:
            left.remaining -= 1

    def heard(self, resource: Resource, told: Told, now: float) -> None:
        """Believe an answer where it says less than is known: answers overtake each other. `told.reset` is of real
        seconds, like the clock."""
        if told.remaining is None or told.reset is None:
            self._unlimited.add(resource)
            return
        found = _Left(remaining=told.remaining, reset_at=now + told.reset)
        for name in {str(resource), told.resource or str(resource)}:
            known = self._left.get(name)
            if known is None or now >= known.reset_at or found.reset_at > known.reset_at + 2 * _RESET_MARGIN:
                self._left[name] = found
            else:
                known.remaining = min(known.remaining, found.remaining)

    def answered(self) -> None:
        """A request was not refused for a limit."""
        self._refused_in_a_row = 0

    def refused(self, resource: Resource, refusal: Refusal, now: float) -> float:
        """Nobody asks for so many seconds, which are returned."""
        if not refusal.secondary:
            seconds = self._minute if refusal.after is None else refusal.after
            self._left[resource] = _Left(remaining=0, reset_at=now + seconds)
            return seconds
        seconds = refusal.after if refusal.after is not None else self._grown()
        if now >= self._paused_until:
            # Those that were under way together are refused together: that counts once.
            self._refused_in_a_row += 1
        self._paused_until = max(self._paused_until, now + seconds)
        return seconds

    def _grown(self) -> float:
        grown = SECONDARY_SECONDS * 2 ** min(self._refused_in_a_row, 16)
        return min(SECONDARY_MOST, grown) * self._minute / 60


class _Left(Struct, kw_only=True):
    remaining: int
    reset_at: float

    def until(self, now: float) -> float:
        return self.reset_at if self.remaining <= 0 and now < self.reset_at else float("-inf")


def _server_time(headers: Mapping[str, str], now: float) -> float:
    """The server's clock, as its times are told by it."""
    try:
        return parsedate_to_datetime(headers.get("date", "")).timestamp()
    except ValueError:
        return now


def _number(text: str | None) -> float | None:
    """A header that no server of sense sends is as good as none: nobody waits for ever because of it."""
    return float(text) if text is not None and _NUMBER.fullmatch(text) else None

"""GitHub's limits, for each identity: requests an hour, and content an hour and a minute.

A window begins with its first request and is over an hour (a minute for searches) later. The content limits look back
from each moment. Whoever goes on asking for content while limited is limited for longer, and locked out in the end.
"""

import math
from collections import deque
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from cody_stand_ins.github.refusal import Refusal

_CONTENT = (
    "You have exceeded a secondary rate limit and have been temporarily blocked from content creation. "
    "Please retry your request again later."
)
_SECONDARY = "https://docs.github.com/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits"
_PRIMARY = (
    "https://docs.github.com/rest/overview/rate-limits-for-the-rest-api#primary-rate-limit-for-authenticated-users"
)


class LimitSettings(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A minute passes `time_scale` times as fast. `retry_after`: whether a content refusal says how long to wait.
    `lock_out_after`: so many requests for content while limited, and the identity gets nothing any more."""

    requests_per_hour: int = 5_000
    searches_per_minute: int = 30
    code_searches_per_minute: int = 10
    points_per_hour: int = 5_000
    content_per_minute: int = 80
    content_per_hour: int = 500
    retry_after: bool = True
    lock_out_after: int = 10
    primary_status: int = 403
    time_scale: float = 1.0


class Window(Struct, kw_only=True):
    limit: int
    seconds: float
    ends: float = 0.0
    used: int = 0


class Content(Struct, kw_only=True):
    """What one identity made lately, and until when it may make nothing."""

    admitted: deque[float]
    until: float = 0.0
    asked_while_limited: int = 0
    locked_out: bool = False


class Limits:
    """`clock` is in seconds since 1970, as the headers have it."""

    def __init__(self, settings: LimitSettings, clock: Callable[[], float]) -> None:
        self.settings = settings
        self._clock = clock
        self._windows: dict[tuple[str, str], Window] = {}
        self._content: dict[str, Content] = {}

    def take(self, identity: str, resource: str, cost: int = 1) -> None:
        """Raises `Refusal` when the hour is used up."""
        self._refuse_locked_out(identity)
        window = self._window(identity, resource)
        if window.used + cost > window.limit:
            headers = self.headers(identity, resource)
            message = f"API rate limit exceeded for {identity}."
            if resource == "graphql":
                raise Refusal(200, message, headers=headers, errors=[{"type": "RATE_LIMITED", "message": message}])
            raise Refusal(self.settings.primary_status, message, headers=headers, documentation=_PRIMARY)
        window.used += cost

    def give_back(self, identity: str, resource: str) -> None:
        """A 304 costs nothing."""
        self._window(identity, resource).used -= 1

    def take_content(self, identity: str) -> None:
        """Raises `Refusal` above the content limits."""
        now, minute = self._clock(), self._minute
        content = self._content.setdefault(identity, Content(admitted=deque()))
        if now < content.until:
            self._punish(content, now)
            raise self._content_refusal(content, now)
        while content.admitted and content.admitted[0] <= now - 60 * minute:
            content.admitted.popleft()
        content.until = max(
            self._free_at(content, self.settings.content_per_minute, minute),
            self._free_at(content, self.settings.content_per_hour, 60 * minute),
        )
        if now < content.until:
            raise self._content_refusal(content, now)
        content.admitted.append(now)

    def headers(self, identity: str, resource: str) -> dict[str, str]:
        window = self._window(identity, resource)
        return {
            "x-ratelimit-limit": str(window.limit),
            "x-ratelimit-remaining": str(max(0, window.limit - window.used)),
            "x-ratelimit-used": str(window.used),
            "x-ratelimit-reset": str(math.ceil(window.ends)),
            "x-ratelimit-resource": resource,
        }

    def overview(self, identity: str) -> dict[str, Any]:
        resources = {name: self._shape(identity, name) for name in ("core", "search", "code_search", "graphql")}
        return {"resources": resources, "rate": resources["core"]}

    def asked_while_limited(self) -> dict[str, int]:
        return {identity: one.asked_while_limited for identity, one in self._content.items()}

    def locked_out(self) -> tuple[str, ...]:
        return tuple(identity for identity, one in self._content.items() if one.locked_out)

    @property
    def _minute(self) -> float:
        return 60 / self.settings.time_scale

    def _refuse_locked_out(self, identity: str) -> None:
        content = self._content.get(identity)
        if content is not None and content.locked_out:
            raise Refusal(403, "Sorry. Your account was suspended.")

    def _window(self, identity: str, resource: str) -> Window:
        limit, seconds = self._size_of(resource)
        window = self._windows.get((identity, resource))
        if window is None or self._clock() >= window.ends:
            window = Window(limit=limit, seconds=seconds, ends=self._clock() + seconds)
            self._windows[identity, resource] = window
        return window

    def _size_of(self, resource: str) -> tuple[int, float]:
        settings, minute = self.settings, self._minute
        sizes = {
            "search": (settings.searches_per_minute, minute),
            "code_search": (settings.code_searches_per_minute, minute),
            "graphql": (settings.points_per_hour, 60 * minute),
        }
        return sizes.get(resource, (settings.requests_per_hour, 60 * minute))

    def _free_at(self, content: Content, limit: int, seconds: float) -> float:
        """When the oldest of the last `limit` leaves the window."""
        return content.admitted[-limit] + seconds if len(content.admitted) >= limit else 0.0

    def _punish(self, content: Content, now: float) -> None:
        content.asked_while_limited += 1
        content.until = max(content.until, now + self._minute)
        content.locked_out = content.asked_while_limited >= self.settings.lock_out_after

    def _content_refusal(self, content: Content, now: float) -> Refusal:
        wait = content.until - now
        text = f"{wait:.3f}" if self.settings.time_scale != 1 else str(math.ceil(wait))
        headers = {"retry-after": text} if self.settings.retry_after else {}
        return Refusal(403, _CONTENT, headers=headers, documentation=_SECONDARY)

    def _shape(self, identity: str, resource: str) -> dict[str, int]:
        window = self._window(identity, resource)
        remaining = max(0, window.limit - window.used)
        return {"limit": window.limit, "remaining": remaining, "reset": math.ceil(window.ends), "used": window.used}

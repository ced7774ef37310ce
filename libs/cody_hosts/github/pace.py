"""When the next request that makes content (a pull request, a comment) may go: decisions alone, on a given clock."""

from collections import deque

from msgspec import Struct

_USED = 0.985
"""So much of each limit is used: what is on its way arrives later or sooner than it left."""
_CATCH_UP_SECONDS = 3.0
"""Time lost by slow answers, up to so much of it, is made up for; more would be a burst."""


class PaceLimits(Struct, frozen=True, kw_only=True):
    """What GitHub allows one identity, by the page on rate limits of its REST API."""

    per_minute: int = 80
    per_hour: int = 500


class Pace:
    """Turns evenly spread over each minute, and never more than the limit in any minute or hour. `minute` is how many
    of the clock's seconds a minute of the limits takes."""

    def __init__(self, limits: PaceLimits, *, minute: float = 60.0) -> None:
        self._limits = limits
        self._minute = minute
        self._spacing = minute / limits.per_minute / _USED
        self._even = float("-inf")
        self._turns: deque[float] = deque(maxlen=max(limits.per_minute, limits.per_hour))

    def wait(self, now: float) -> float:
        """Seconds until the next turn, which is not taken by this."""
        return max(0.0, self._next(now) - now)

    def take(self, now: float) -> float:
        """Take the next turn; seconds until it comes."""
        turn = self._next(now)
        slack = _CATCH_UP_SECONDS * self._minute / 60
        self._even = (max(self._even, turn - slack) if self._turns else turn) + self._spacing
        self._turns.append(turn)
        return turn - now

    def went(self, now: float) -> None:
        """The request of the last turn is over: it arrived at some time until now."""
        if self._turns:
            self._turns[-1] = max(self._turns[-1], now)

    def give_back(self) -> None:
        """The last turn was not used."""
        if self._turns:
            self._turns.pop()

    def _next(self, now: float) -> float:
        return max(
            now,
            self._even,
            self._window(self._limits.per_minute, self._minute),
            self._window(self._limits.per_hour, self._minute * 60),
        )

    def _window(self, most: int, seconds: float) -> float:
        """When the oldest of the last `most` turns leaves the window."""
        if len(self._turns) < most:
            return float("-inf")
        return self._turns[-most] + seconds * (1 + (1 - _USED) / 4)

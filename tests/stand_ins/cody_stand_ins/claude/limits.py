"""Rate limits like the API's: for each model a token bucket of requests, of input and of output tokens.

A bucket holds what its limit allows in a minute, and fills up continuously. Input that was read from the cache does not
count; output counts when it was made, so that it can overdraw its bucket.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from cody_stand_ins.claude.faults import Faults

Header = tuple[bytes, bytes]

_KINDS = ("requests", "input-tokens", "output-tokens")
_WORDS = {"requests": "requests", "input-tokens": "input tokens", "output-tokens": "output tokens"}


class Refusal(Struct, frozen=True, kw_only=True):
    message: str
    retry_after: float


class Bucket:
    """`minute` is how many seconds a minute takes."""

    def __init__(self, limit: int, minute: float, now: float) -> None:
        self.limit = limit
        self._rate = limit / minute
        self._level = float(limit)
        self._at = now

    def level(self, now: float) -> float:
        self._level = min(self.limit, self._level + self._rate * (now - self._at))
        self._at = now
        return self._level

    def take(self, amount: float, now: float) -> None:
        self._level = self.level(now) - amount

    def seconds_until(self, amount: float, now: float) -> float:
        return max(0.0, (amount - self.level(now)) / self._rate)


class Limits:
    def __init__(self, faults: Faults, clock: Callable[[], float]) -> None:
        limits = (faults.requests_per_minute, faults.input_tokens_per_minute, faults.output_tokens_per_minute)
        self._limits = {kind: limit for kind, limit in zip(_KINDS, limits, strict=True) if limit is not None}
        self._minute = 60 / faults.time_scale
        self._clock = clock
        self._buckets: dict[str, dict[str, Bucket]] = {}

    def admit(self, model: str, input_tokens: int) -> Refusal | None:
        """Take what a request needs, or nothing."""
        now, buckets = self._clock(), self._of(model)
        needs = {"requests": 1, "input-tokens": input_tokens, "output-tokens": 1}
        for kind, bucket in buckets.items():
            if bucket.level(now) < needs[kind]:
                return Refusal(
                    message=f"This request would exceed the rate limit of {bucket.limit:,} {_WORDS[kind]} per minute",
                    retry_after=bucket.seconds_until(needs[kind], now),
                )
        for kind, bucket in buckets.items():
            bucket.take(0 if kind == "output-tokens" else needs[kind], now)
        return None

    def spend_output(self, model: str, tokens: int) -> None:
        bucket = self._of(model).get("output-tokens")
        if bucket is not None:
            bucket.take(tokens, self._clock())

    def headers(self, model: str) -> Iterator[Header]:
        now = self._clock()
        for kind, bucket in self._of(model).items():
            prefix = b"anthropic-ratelimit-%s-" % kind.encode()
            full = datetime.now(UTC) + timedelta(seconds=bucket.seconds_until(bucket.limit, now))
            yield prefix + b"limit", str(bucket.limit).encode()
            yield prefix + b"remaining", str(_shown(kind, bucket.level(now))).encode()
            yield prefix + b"reset", full.isoformat(timespec="milliseconds").replace("+00:00", "Z").encode()

    def retry_after(self, refusal: Refusal) -> bytes:
        """Whole seconds, as the API says it; in a world with a faster clock, parts of them."""
        if self._minute < 60:
            return f"{refusal.retry_after:.3f}".encode()
        return str(max(1, -int(-refusal.retry_after // 1))).encode()

    def _of(self, model: str) -> dict[str, Bucket]:
        if model not in self._buckets:
            now = self._clock()
            self._buckets[model] = {kind: Bucket(limit, self._minute, now) for kind, limit in self._limits.items()}
        return self._buckets[model]


def _shown(kind: str, level: float) -> int:
    """Tokens are told in thousands."""
    if kind == "requests":
        return max(0, int(level))
    return max(0, round(level / 1_000) * 1_000)

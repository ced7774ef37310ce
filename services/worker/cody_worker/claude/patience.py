"""How long to wait before a request goes out again, and when to stop waiting."""

import random
from collections.abc import Generator
from contextlib import contextmanager

from msgspec import Struct


class Backoff(Struct, frozen=True, kw_only=True):
    """Seconds. The n-th wait is about `first` times 2^n, at most `most`, of which up to half is random. A time that
    Claude names is kept, but never more than `named_most` of it."""

    first: float = 0.5
    most: float = 30.0
    named_most: float = 60.0

    def wait(self, attempt: int, named: float | None, chance: random.Random) -> float:
        """`attempt` counts from 0."""
        grown = min(self.most, self.first * 2 ** min(attempt, 16))
        jittered = grown * chance.uniform(0.5, 1.0)
        # Never less than our own wait: everybody would come back at the same moment as named.
        return (
            jittered if named is None else max(jittered, min(named, self.named_most)) + jittered * chance.random() / 4
        )


class Outage:
    """Since when nobody was answered, shared by all calls of a client: an outage that is longer than the patience ends
    all of them at once, instead of each after a patience of its own."""

    def __init__(self) -> None:
        self._asking = 0
        self._since: float | None = None

    @contextmanager
    def asking(self) -> Generator[None]:
        """Around a call. Time in which nobody asks is no outage."""
        self._asking += 1
        try:
            yield
        finally:
            self._asking -= 1
            if not self._asking:
                self._since = None

    def answered(self) -> None:
        self._since = None

    def failed(self, now: float) -> float:
        """The time of the first failure since the last answer: this one's, or an earlier call's."""
        if self._since is None:
            self._since = now
        return self._since


class OwnPatience:
    """Of one call: since when it has failed, without the time that it waited for its turn."""

    def __init__(self) -> None:
        self._since: float | None = None

    def waited(self, seconds: float) -> None:
        if self._since is not None:
            self._since += seconds

    def failed(self, now: float, *, counts: bool) -> float:
        """The time of its first failure, or now where none has counted yet."""
        if self._since is None and counts:
            self._since = now
        return now if self._since is None else self._since

"""How long to wait before the next try."""

import asyncio
import random
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

T = TypeVar("T")

_FIRST_SECONDS: Final = 0.5
_LONGEST_SECONDS: Final = 30.0


class Backoff:
    """Doubling pauses with jitter, so that programs that lost the same dependency do not come back all at once."""

    def __init__(self) -> None:
        self._seconds = _FIRST_SECONDS

    def next(self) -> float:
        seconds, self._seconds = self._seconds, min(_LONGEST_SECONDS, self._seconds * 2)
        return seconds * random.uniform(0.5, 1.0)  # noqa: S311 (spreads load, guards nothing)

    def reset(self) -> None:
        self._seconds = _FIRST_SECONDS


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Return after that time, or as soon as `stop` is set."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return


async def unless_stopped(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """What `work` returns; None when `stop` is set before, which cancels it."""
    working = asyncio.create_task(work, name="working")
    stopping = asyncio.create_task(stop.wait(), name="stopping")
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        working.cancel()
        stopping.cancel()
        await asyncio.gather(working, stopping, return_exceptions=True)

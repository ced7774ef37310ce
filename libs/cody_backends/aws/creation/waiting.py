"""Wait until what was created is ready."""

import asyncio
from collections.abc import Awaitable, Callable

from cody_jobs.errors import Unavailable

_SECONDS = 180.0
_LONGEST_PAUSE = 3.0


async def until_ready(what: str, ready: Callable[[], Awaitable[bool]]) -> None:
    """Raises `Unavailable` when it takes longer than three minutes."""
    pause = 0.05
    clock = asyncio.get_running_loop().time
    deadline = clock() + _SECONDS
    while not await ready():
        if clock() > deadline:
            raise Unavailable(what, "it is still not ready; run this again later")
        await asyncio.sleep(pause)
        pause = min(_LONGEST_PAUSE, pause * 2)

"""Wait for facts, never for a guessed time."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import TypeVar, cast

T = TypeVar("T")

_PAUSE_SECONDS = 0.02


async def wait_until(fact: Callable[[], T | Awaitable[T]], description: str, timeout: float = 20.0) -> T:
    """Call `fact` until what it returns (or what its coroutine returns) is true, and return that.

    Fails with the description after `timeout` seconds. What `fact` raises is the caller's.
    """
    clock = asyncio.get_running_loop().time
    deadline = clock() + timeout
    while True:
        answer = fact()
        found = cast("T", await answer if inspect.isawaitable(answer) else answer)
        if found:
            return found
        if clock() >= deadline:
            raise AssertionError(f"waited {timeout:g} s in vain until {description}")
        await asyncio.sleep(_PAUSE_SECONDS)

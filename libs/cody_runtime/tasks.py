"""A task group whose error is the error: what one task raised, not a group around it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import cast


@asynccontextmanager
async def task_group() -> AsyncGenerator[asyncio.TaskGroup]:
    """As `asyncio.TaskGroup`; the first exception of its tasks is raised by itself, so that callers can name it."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except BaseExceptionGroup as error:
        raise _first(error) from error


def _first(error: BaseException) -> BaseException:
    if not isinstance(error, BaseExceptionGroup):
        return error
    return _first(cast("BaseExceptionGroup[BaseException]", error).exceptions[0])

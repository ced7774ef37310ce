import asyncio

import pytest

from cody_jobs.errors import Unavailable
from cody_runtime.tasks import task_group


async def test_the_error_of_a_task_is_raised_by_itself() -> None:
    async def fail() -> None:
        raise Unavailable("database", "gone")

    async def both() -> None:
        async with task_group() as group:
            group.create_task(fail())
            group.create_task(asyncio.sleep(60))

    with pytest.raises(Unavailable, match="gone"):
        await both()


async def test_nested_groups_are_opened_to_the_last() -> None:
    async def fail() -> None:
        async with task_group() as inner:
            inner.create_task(deeper())

    async def deeper() -> None:
        raise ValueError("deep")

    with pytest.raises(ValueError, match="deep"):
        await fail()


async def test_cancellation_stays_cancellation() -> None:
    async def wait() -> None:
        async with task_group() as group:
            group.create_task(asyncio.sleep(60))

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

"""The file that a container's health check looks at."""

import asyncio
from datetime import timedelta
from pathlib import Path

import msgspec

from cody_backends.postgres.job_store import PostgresJobStore
from cody_jobs.errors import Unavailable
from tests.support.wait import wait_until
from tests.unit.cody_dispatcher.room import Room


async def test_a_complete_look_at_the_work_is_left_in_the_health_file(room: Room, tmp_path: Path) -> None:
    health, stop = tmp_path / "looked", asyncio.Event()
    running = asyncio.create_task(room.reconciler(health=health).run(stop), name="reconcile")
    await wait_until(health.exists, "the file is there")
    stop.set()
    await running


async def test_a_look_that_a_dependency_cut_short_is_not(room: Room, tmp_path: Path) -> None:
    health, stop, looked = tmp_path / "looked", asyncio.Event(), asyncio.Event()

    class Away(PostgresJobStore):
        async def discard_half_created(self, *, older_than: timedelta) -> list[str]:
            looked.set()
            raise Unavailable("PostgreSQL", "away")

    ports = msgspec.structs.replace(room.ports, jobs=Away(room.database))
    running = asyncio.create_task(room.reconciler(ports=ports, health=health).run(stop), name="reconcile")
    await wait_until(looked.is_set, "it has looked")
    stop.set()
    await running
    assert not health.exists()

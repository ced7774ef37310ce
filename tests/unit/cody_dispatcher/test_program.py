"""The dispatcher as a program of its own, with real worker processes on real PostgreSQL."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import psutil

from cody_backends.settings import BackendSettings
from cody_jobs.messages import JOBS_QUEUE, JobStopped, JobSubmitted, encode_message
from cody_jobs.models import FailureCode, Job, JobStatus, RunStatus
from tests.contract import jobs as sample
from tests.support.wait import wait_until
from tests.unit.cody_dispatcher.room import Room

PROGRAMS = Path(__file__).parent / "programs"
TRACE_ID = "0123456789abcdef0123456789abcdef"
TRACEPARENT = f"00-{TRACE_ID}-0123456789abcdef-01"


@asynccontextmanager
async def dispatcher(settings: BackendSettings, notes: Path, **more: str) -> AsyncGenerator[Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "cody_dispatcher",
        env={
            "PATH": os.defpath,
            "PYTHONPATH": str(PROGRAMS),
            "DATABASE_URL": settings.database_url or "",
            "DATABASE_CONNECTIONS": "2",
            "CODY_DATA": settings.cody_data,
            "WORKER_ENTRY": "small_worker:run",
            "WORKER_PRELOAD": "cody_backends.open_backends",
            "WORKERS_AT_ONCE": "2",
            "REPOSITORIES_PER_WORKER": "2",
            "RECONCILE_SECONDS": "0.1",
            "NOTES": str(notes),
            **more,
        },
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def family(process: Process) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def has_status(room: Room, job: Job, number: str, status: RunStatus) -> Callable[[], Awaitable[bool]]:
    async def holds() -> bool:
        return (await room.jobs.get_run(job.id, f"owner/{number}")).status is status

    return holds


async def submit(room: Room, *repositories: str) -> Job:
    job = await sample.create(room.jobs, [f"owner/{name}" for name in repositories])
    message = encode_message(JobSubmitted(job_id=job.id))
    await room.queue.send(JOBS_QUEUE, message, attributes={"traceparent": TRACEPARENT})
    return job


async def test_a_job_ends_rightly_although_workers_and_the_dispatcher_are_killed(
    room: Room, backend_settings: BackendSettings, tmp_path: Path
) -> None:
    async with dispatcher(backend_settings, tmp_path) as first:
        job = await submit(room, "a", "b", "poison", "c", "slow", "d")
        await wait_until(has_status(room, job, "poison", RunStatus.FAILED), "the run that kills its workers has failed")
        await wait_until(has_status(room, job, "slow", RunStatus.RUNNING), "the slow run is at work")
        orphans = family(first)
        first.kill()
        await first.wait()
        await wait_until(lambda: not psutil.wait_procs(orphans, timeout=0)[1], "its workers are gone")
    async with dispatcher(backend_settings, tmp_path) as second:
        await wait_until(has_status(room, job, "slow", RunStatus.RUNNING), "the slow run is at work again")
        (tmp_path / "GO").touch()

        async def is_over() -> bool:
            return (await room.jobs.get_job(job.id)).status is JobStatus.PARTIALLY_SUCCEEDED

        await wait_until(is_over, "the job is over")
        helpers = family(second)
        second.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(second.wait(), 20) == 0
        assert not psutil.wait_procs(helpers, timeout=0)[1]
    statuses = {
        run.repository: run.status
        for run in (await room.jobs.list_runs(job.id, status=None, limit=10, cursor=None)).items
    }
    assert statuses.pop("owner/poison") is RunStatus.FAILED
    assert set(statuses.values()) == {RunStatus.SUCCEEDED}
    poison = await room.jobs.get_run(job.id, "owner/poison")
    assert poison.failure is not None
    assert (poison.failure.code, poison.losses) == (FailureCode.WORKER_LOST, 3)
    assert TRACE_ID in (tmp_path / "1.0").read_text(), "the first attempt continues the request's trace"


async def test_workers_give_their_runs_back_when_the_dispatcher_is_asked_to_stop(
    room: Room, backend_settings: BackendSettings, tmp_path: Path
) -> None:
    async with dispatcher(backend_settings, tmp_path) as process:
        job = await submit(room, "slow")
        await wait_until(has_status(room, job, "slow", RunStatus.RUNNING), "the slow run is at work")
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 20) == 0
    run = await room.jobs.get_run(job.id, "owner/slow")
    assert (run.status, run.losses) == (RunStatus.QUEUED, 0)


async def test_the_worker_of_a_cancelled_job_is_stopped(
    room: Room, backend_settings: BackendSettings, tmp_path: Path
) -> None:
    async with dispatcher(backend_settings, tmp_path):
        job = await submit(room, "slow")
        await wait_until(has_status(room, job, "slow", RunStatus.RUNNING), "the slow run is at work")
        pid = int((tmp_path / "1.0").read_text().split()[0])
        await room.jobs.stop_job(job.id, status=JobStatus.CANCELLED, failure=None)
        await room.send(JobStopped(job_id=job.id))
        await wait_until(lambda: not psutil.pid_exists(pid), "the worker is gone")
        await wait_until(room.queue_is_empty, "the message is deleted")


async def test_two_dispatchers_leave_each_others_workers_alone(
    room: Room, backend_settings: BackendSettings, tmp_path: Path
) -> None:
    async with dispatcher(backend_settings, tmp_path):
        job = await submit(room, "slow", "a", "b")
        await wait_until(has_status(room, job, "slow", RunStatus.RUNNING), "the slow run is at work")
        async with room.database.connection() as connection:
            # Long enough ago that nobody takes it for a compute job that was started this moment.
            await connection.execute("UPDATE shards SET created_at = now() - interval '1 hour'")
        async with dispatcher(backend_settings, tmp_path, RECONCILE_SECONDS="0.05"):
            other = await submit(room, "c")
            await wait_until(has_status(room, other, "c", RunStatus.SUCCEEDED), "both dispatchers are at work")
            (tmp_path / "GO").touch()
            await wait_until(has_status(room, job, "slow", RunStatus.SUCCEEDED), "the slow run is over")
    for repository in ("owner/slow", "owner/a", "owner/b"):
        run = await room.jobs.get_run(job.id, repository)
        assert (run.attempt, run.losses) == (1, 0)


async def test_a_wrong_setting_is_named(backend_settings: BackendSettings, tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "cody_dispatcher",
        stderr=asyncio.subprocess.PIPE,
        env={"PATH": os.defpath, "REPOSITORIES_PER_WORKER": "0", "CODY_DATA": str(tmp_path)},
    )
    _, said = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 1
    assert b"REPOSITORIES_PER_WORKER" in said

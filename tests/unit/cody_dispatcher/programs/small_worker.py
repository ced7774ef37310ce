"""A worker for the dispatcher's own test: real leases and real signals, but nothing is edited.

`owner/poison` kills it, `owner/slow` waits for the file GO, every other run ends as unchanged.
"""

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from cody_backends.open_backends import open_backends
from cody_backends.settings import BackendSettings
from cody_jobs.errors import LeaseLost
from cody_jobs.models import FileCounts, RunOutcome, RunSucceeded
from cody_jobs.ports import JobStore
from cody_runtime.settings import load_settings
from cody_runtime.shutdown import stop_on_signals

UNCHANGED = RunSucceeded(outcome=RunOutcome.NO_CHANGES, reason="nothing to do", files=FileCounts())


def run(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    return asyncio.run(work(arguments[1], int(arguments[3]), environment))


async def work(job_id: str, attempt: int, environment: Mapping[str, str]) -> int:
    index = int(environment.get("AWS_BATCH_JOB_ARRAY_INDEX", "0"))
    notes = Path(environment["NOTES"])
    async with stop_on_signals() as stop, open_backends(load_settings(BackendSettings, environment)) as backends:
        (notes / f"{attempt}.{index}").write_text(f"{os.getpid()} {environment['TRACEPARENT']}")
        shard = await backends.jobs.get_shard(job_id, attempt, index)
        for repository in shard.repositories:
            if not await end_run(backends.jobs, job_id, repository, stop, notes):
                return 75
        await backends.jobs.end_shard(job_id, attempt, index)
    return 0


async def end_run(jobs: JobStore, job_id: str, repository: str, stop: asyncio.Event, notes: Path) -> bool:
    owner = f"worker {os.getpid()}"
    try:
        await jobs.claim_run(job_id, repository, owner=owner, lease=timedelta(seconds=30))
    except LeaseLost:
        return True
    if repository == "owner/poison":
        os.kill(os.getpid(), signal.SIGKILL)
    while repository == "owner/slow" and not (notes / "GO").exists():
        if stop.is_set():
            await jobs.release_run(job_id, repository, owner=owner)
            return False
        await asyncio.sleep(0.01)
    await jobs.finish_run(job_id, repository, owner=owner, result=UNCHANGED)
    return True

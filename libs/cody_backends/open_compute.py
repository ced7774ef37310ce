"""Open the Compute of the chosen family. Everybody else works with the port alone."""

import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Annotated

from msgspec import Meta, Struct

from cody_backends.aws.settings import BatchSettings
from cody_backends.settings import BackendSettings
from cody_jobs.ports import Compute
from cody_runtime.environment import CLAUDE_KEYS, without_credentials
from cody_runtime.shutdown import PARENT_PIPE


class ComputeSettings(Struct, frozen=True, kw_only=True):
    workers_at_once: Annotated[
        int | None,
        Meta(description="Worker processes that run at a time on this machine. Unset: one per CPU, at least 2."),
    ] = None
    worker_entry: Annotated[
        str, Meta(pattern=r"^[\w.]+:\w+$", description="module:function that a worker process runs.")
    ] = "cody_worker.__main__:run"
    worker_preload: Annotated[
        tuple[str, ...], Meta(description="Modules imported once, before any worker process is wanted.")
    ] = ("cody_worker.preload",)
    batch: BatchSettings = BatchSettings()


@asynccontextmanager
async def open_compute(
    settings: ComputeSettings, backend: BackendSettings, *, environment: Mapping[str, str]
) -> AsyncGenerator[Compute]:
    """Workers get `environment` without the credentials that are not theirs, and what a request adds to it. At the end
    the workers of this machine are stopped: SIGTERM, and SIGKILL after 20 s."""
    from cody_backends.processes.compute import WorkerProgram, open_processes

    worker = WorkerProgram(
        entry=settings.worker_entry,
        preload=settings.worker_preload,
        environment=_for_workers(environment),
    )
    at_once = settings.workers_at_once or max(2, os.cpu_count() or 1)
    async with open_processes(worker, at_once=at_once, folder=backend.data_folder / "workers") as compute:
        yield compute


def _for_workers(environment: Mapping[str, str]) -> dict[str, str]:
    """Without the pipe, which is a descriptor of this process: a worker ends with the fork server instead."""
    given = without_credentials(environment, keep=CLAUDE_KEYS)
    return {name: value for name, value in given.items() if name != PARENT_PIPE}

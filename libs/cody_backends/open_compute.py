"""Open the Compute of the chosen family. Everybody else works with the port alone."""

import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Annotated

from msgspec import Meta, Struct

from cody_backends.aws.settings import BatchSettings
from cody_backends.settings import BackendFamily, BackendSettings
from cody_jobs.errors import SettingsError
from cody_jobs.ports import Compute
from cody_runtime.environment import WORKER_CREDENTIALS, without_credentials
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
    """Workers of this machine get `environment` without the credentials that are not theirs, and what a request adds
    to it; at the end they are stopped: SIGTERM, and SIGKILL after 20 s. On AWS Batch they get what the job definition
    says, and go on. Raises `SettingsError` and, on AWS, `Unavailable`."""
    match backend.cody_backend:
        case BackendFamily.POSTGRES:
            opening = _open_on_this_machine(settings, backend, environment)
        case BackendFamily.AWS:
            opening = _open_on_batch(settings, backend)
    async with opening as compute:
        yield compute


def _open_on_this_machine(
    settings: ComputeSettings, backend: BackendSettings, environment: Mapping[str, str]
) -> AbstractAsyncContextManager[Compute]:
    from cody_backends.processes.compute import WorkerProgram, open_processes

    worker = WorkerProgram(
        entry=settings.worker_entry,
        preload=settings.worker_preload,
        environment=_for_workers(environment),
    )
    at_once = settings.workers_at_once or max(2, os.cpu_count() or 1)
    return open_processes(worker, at_once=at_once, folder=backend.data_folder / "workers")


def _open_on_batch(settings: ComputeSettings, backend: BackendSettings) -> AbstractAsyncContextManager[Compute]:
    from cody_backends.aws.clients import Aws
    from cody_backends.aws.compute import open_batch_compute

    if settings.workers_at_once is not None:
        raise SettingsError(
            "WORKERS_AT_ONCE is for workers of this machine; with CODY_BACKEND=aws, AWS Batch bounds them: "
            "unset it, and set maxvCpus of the compute environment"
        )
    return open_batch_compute(Aws(backend.aws), settings.batch)


def _for_workers(environment: Mapping[str, str]) -> dict[str, str]:
    """Without the pipe, which is a descriptor of this process: a worker ends with the fork server instead."""
    given = without_credentials(environment, keep=WORKER_CREDENTIALS)
    return {name: value for name, value in given.items() if name != PARENT_PIPE}

"""Open what a worker needs, work on the shard, close everything."""

import os
import secrets
import socket
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path

from msgspec.structs import replace
from opentelemetry.trace import SpanKind

from cody_backends.open_backends import Backends, open_backends
from cody_hosts.open_code_host import open_code_host
from cody_jobs.errors import JobFailed, RunNotFound
from cody_jobs.events import EventBody
from cody_jobs.models import Failure, FailureCode, Job, JobStatus
from cody_jobs.ports.compute import EXIT_FAILED, EXIT_OK
from cody_jobs.steps import Lane
from cody_runtime import names
from cody_runtime.logs import get_logger
from cody_runtime.program import Program
from cody_runtime.telemetry import context_from, get_tracer, link_to
from cody_worker.claude.batches.batched_claude import open_batched_claude
from cody_worker.claude.batches.pace import Pace
from cody_worker.claude.client import open_claude
from cody_worker.git.repository_process import GitLauncher
from cody_worker.job_commands import CommandPlace
from cody_worker.job_tools import Tools
from cody_worker.run_shard import ShardWork
from cody_worker.settings import WorkerSettings
from cody_worker.shard_address import ShardAddress
from cody_worker.stop_job import stop_job

log = get_logger(__name__)
tracer = get_tracer(__name__)


async def work(settings: WorkerSettings, program: Program, *, git: GitLauncher, address: ShardAddress) -> int:
    """Exit code of the whole worker."""
    async with AsyncExitStack() as opened:
        opened.push_async_callback(git.aclose)
        backends = await opened.enter_async_context(open_backends(settings.backend))
        if settings.backend.embedded:
            await opened.enter_async_context(program.spans.keep(backends.results.append_spans))
        try:
            claude = await opened.enter_async_context(open_claude(settings.claude, rooms=backends.rooms))
        except JobFailed as error:
            await _stop_before_start(backends, address, error)
            return EXIT_FAILED
        tools = Tools(
            settings=settings,
            backends=backends,
            host=open_code_host(settings.host),
            git=git,
            claude=claude,
            command_place=_command_place(settings, program),
            owner=f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}",
        )
        return await _work_on_shard(tools, program, address)


def _command_place(settings: WorkerSettings, program: Program) -> CommandPlace:
    """No command sees where we keep our own data, or the other repositories."""
    ours = (settings.backend.cody_data, settings.host.repositories_root)
    hidden = tuple(str(Path(path).expanduser().absolute()) for path in ours if path)
    return CommandPlace(path=program.environment.get("PATH", ""), hidden=hidden)


async def _work_on_shard(tools: Tools, program: Program, address: ShardAddress) -> int:
    traceparent = program.environment.get("TRACEPARENT")
    with tracer.start_as_current_span(
        names.SPAN_RUN_SHARD,
        context=context_from(traceparent),
        kind=SpanKind.CONSUMER,
        links=link_to(traceparent),
        attributes={names.JOB_ID: address.job_id, names.ATTEMPT: address.attempt, names.SHARD: address.index},
    ):
        try:
            shard = await tools.backends.jobs.get_shard(address.job_id, address.attempt, address.index)
        except RunNotFound:
            log.warning("shard_unknown", job_id=address.job_id, attempt=address.attempt, shard=address.index)
            return EXIT_OK
        job = await tools.backends.jobs.get_job(address.job_id)
        async with _in_lane(tools, job) as tools_of_lane:
            return await ShardWork(tools_of_lane, job, shard, program.stop).run()


@asynccontextmanager
async def _in_lane(tools: Tools, job: Job) -> AsyncGenerator[Tools]:
    if job.spec.lane is not Lane.ECONOMY:
        yield tools
        return

    async def tell(key: str, body: EventBody) -> None:
        await tools.backends.results.append_missing(job.id, {key: body})

    settings = tools.settings
    async with open_batched_claude(
        settings.claude,
        tools.backends.batches,
        tell,
        job_id=job.id,
        owner=tools.owner,
        pace=Pace(search=settings.economy_search_seconds, lease=timedelta(seconds=settings.lease_seconds)),
    ) as batched:
        yield replace(tools, batched=batched)


async def _stop_before_start(backends: Backends, address: ShardAddress, error: JobFailed) -> None:
    failure = Failure(code=FailureCode(error.code), message=error.message, retryable=error.retryable)
    await stop_job(backends, address.job_id, JobStatus.FAILED, failure)

"""Decide what became of a shard that has no end yet, and put its runs back where that is due."""

from datetime import datetime, timedelta

import msgspec
from opentelemetry import trace

from cody_dispatcher.ports import DispatcherPorts
from cody_dispatcher.tell_of_end import tell_of_end
from cody_jobs.events import RunFinished, RunReturned, key_of_end
from cody_jobs.models import Failure, FailureCode, RunStatus, Shard
from cody_jobs.ports import OpenShard, ShardReport, ShardState
from cody_jobs.ports.compute import EXIT_FAILED
from cody_runtime import names
from cody_runtime.logs import get_logger
from cody_runtime.telemetry import context_from, get_meter, get_tracer

log = get_logger(__name__)
tracer = get_tracer(__name__)

_YOUNG = timedelta(seconds=5)
"""Compute may not know yet what it was given a moment ago."""
_WORDS_KEPT = 300
_TOLD = (RunStatus.SUCCEEDED, RunStatus.FAILED)


async def look_after_shard(ports: DispatcherPorts, found: OpenShard, report: ShardReport, *, now: datetime) -> None:
    """A shard whose worker is at work, or has a place to come, is left alone."""
    shard = found.shard
    if found.silent:
        assert shard.compute_id
        await ports.compute.stop(shard.compute_id, indexes=[shard.index])
        await _recover(ports, shard, "its worker went silent")
        return
    match report.state:
        case ShardState.WAITING | ShardState.RUNNING:
            return
        case ShardState.SUCCEEDED:
            await _end_or_recover(ports, shard)
        case ShardState.FAILED:
            await _recover(ports, shard, _reason(report), failure=_failure(report))
        case ShardState.UNKNOWN if now - shard.created_at > _YOUNG:
            await _recover(ports, shard, "its worker is gone")
        case ShardState.UNKNOWN:
            return


async def end_shard(ports: DispatcherPorts, job_id: str, attempt: int, index: int) -> None:
    """Note the shard's end; when that ends the job, tell everybody."""
    await tell_of_end(ports, await ports.jobs.end_shard(job_id, attempt, index))


async def _end_or_recover(ports: DispatcherPorts, shard: Shard) -> None:
    """The worker had nothing left to do. A run that is RUNNING is held by another worker of the same attempt, and
    stays its own as long as the lease lives; one that nobody took is put back."""
    await end_shard(ports, shard.job_id, shard.attempt, shard.index)
    runs = [await ports.jobs.get_run(shard.job_id, repository) for repository in shard.repositories]
    if any(
        run.status is RunStatus.DISPATCHED and (run.attempt, run.shard) == (shard.attempt, shard.index) for run in runs
    ):
        await _recover(ports, shard, "its worker left it")


async def _recover(ports: DispatcherPorts, shard: Shard, reason: str, *, failure: Failure | None = None) -> None:
    job_id = shard.job_id
    job = await ports.jobs.get_job(job_id)
    attributes = {names.JOB_ID: job_id, names.ATTEMPT: shard.attempt, names.SHARD: shard.index}
    with tracer.start_as_current_span(
        names.SPAN_RECONCILE, context=context_from(job.traceparent), kind=trace.SpanKind.INTERNAL, attributes=attributes
    ):
        recovered = await ports.jobs.recover_shard(job_id, shard.attempt, shard.index, failure=failure)
        if recovered.requeued or recovered.failed:
            log.warning(
                "runs_returned", job_id=job_id, attempt=shard.attempt, shard=shard.index, reason=reason,
                requeued=len(recovered.requeued), failed=len(recovered.failed),
            )  # fmt: skip
        returned = [RunReturned(repository=repository, reason=reason) for repository in recovered.requeued]
        await ports.results.append_events(job_id, returned)
        await _tell_of_ended_runs(ports, shard, frozenset(recovered.failed))
        await end_shard(ports, job_id, shard.attempt, shard.index)


async def _tell_of_ended_runs(ports: DispatcherPorts, shard: Shard, failed_now: frozenset[str]) -> None:
    """Those that fail by this, and those whose worker died between their end and its telling."""
    counter = get_meter(__name__).create_counter(names.METRIC_RUNS)
    ended: dict[str, RunFinished] = {}
    for repository in shard.repositories:
        run = await ports.jobs.get_run(shard.job_id, repository)
        if (run.attempt, run.shard) != (shard.attempt, shard.index) or run.status not in _TOLD:
            continue
        ended[key_of_end(run)] = RunFinished.of(run)
        if repository in failed_now:
            code = run.failure.code if run.failure else None
            log.error("Job processing failed", job_id=shard.job_id, repository=repository, code=code)
            counter.add(1, {names.RUN_STATUS: run.status})
    await ports.results.append_missing(shard.job_id, ended)


def _reason(report: ShardReport) -> str:
    if report.exit_code is None:
        return f"its worker did not start: {_last_words(report)}"
    if report.exit_code > 128:
        return f"its worker was ended by signal {report.exit_code - 128}"
    return f"its worker ended with exit code {report.exit_code}"


def _failure(report: ShardReport) -> Failure | None:
    """A worker that ended with 1 cannot do its shard and never will; any other end is worth another try."""
    if report.exit_code != EXIT_FAILED:
        return None
    message = f"the worker ended with exit code {EXIT_FAILED}: {_last_words(report)}"
    return Failure(code=FailureCode.WORKER_FAILED, message=message, retryable=True)


def _last_words(report: ShardReport) -> str:
    """The last line that the worker wrote, for people: of a structured line its event and its error."""
    lines = (report.reason or "").strip().splitlines()
    if not lines:
        return "it said nothing"
    try:
        said = msgspec.json.decode(lines[-1], type=_LogLine)
    except (msgspec.DecodeError, UnicodeError):
        return lines[-1][:_WORDS_KEPT]
    surprise = (said.exception or "").strip().rpartition("\n")[2]
    return ": ".join(part for part in (said.event, said.error or surprise) if part)[:_WORDS_KEPT]


class _LogLine(msgspec.Struct, frozen=True, kw_only=True):
    event: str
    error: str | None = None
    exception: str | None = None

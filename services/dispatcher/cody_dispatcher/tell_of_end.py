"""Tell everybody that a job has ended, or its sample."""

from cody_dispatcher.ports import DispatcherPorts
from cody_jobs.events import ApprovalAwaited, JobFinished
from cody_jobs.ports import ShardEnd
from cody_runtime import names
from cody_runtime.logs import get_logger
from cody_runtime.telemetry import get_meter

log = get_logger(__name__)


async def tell_of_end(ports: DispatcherPorts, end: ShardEnd) -> None:
    """Whoever ended it tells, and nobody else."""
    if end.awaits_approval_now:
        await _tell_of_sample(ports, end.job.id)
    if not end.job_ended_now:
        return
    job = end.job
    log.info("job_finished", job_id=job.id, status=job.status)
    get_meter(__name__).create_counter(names.METRIC_JOBS).add(1, {"status": job.status})
    await ports.results.append_events(job.id, [JobFinished(status=job.status, failure=job.failure)])


async def _tell_of_sample(ports: DispatcherPorts, job_id: str) -> None:
    counts = (await ports.jobs.count_runs([job_id]))[job_id]
    log.info("approval_awaited", job_id=job_id, queued=counts.queued)
    await ports.results.append_events(job_id, [ApprovalAwaited(queued=counts.queued)])

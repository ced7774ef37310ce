"""Tell everybody that a job has ended."""

from cody_dispatcher.ports import DispatcherPorts
from cody_jobs.events import JobFinished
from cody_jobs.ports import ShardEnd
from cody_runtime import names
from cody_runtime.logs import get_logger
from cody_runtime.telemetry import get_meter

log = get_logger(__name__)


async def tell_of_end(ports: DispatcherPorts, end: ShardEnd) -> None:
    """Whoever ended it tells, and nobody else."""
    if not end.job_ended_now:
        return
    job = end.job
    log.info("job_finished", job_id=job.id, status=job.status)
    get_meter(__name__).create_counter(names.METRIC_JOBS).add(1, {"status": job.status})
    await ports.results.append_events(job.id, [JobFinished(status=job.status, failure=job.failure)])

"""`cody-batch ops requeue`: dispatch a stuck job again."""

from collections.abc import Mapping

import click

from cody_cli.output import json_option, print_json, run_async, tell
from cody_cli.stores import open_stores
from cody_jobs.messages import JOBS_QUEUE, JobSubmitted, encode_message


@click.command()
@click.argument("job")
@json_option
@click.pass_obj
def requeue(environment: Mapping[str, str], *, job: str, as_json: bool) -> None:
    """Set JOB to PENDING and send its message again.

    Takes nothing from a worker that is alive. A job with unfinished repositories goes on with these alone. In a job
    where all have ended, the failed and cancelled ones run again, as after `retry`. What succeeded stays.
    """
    status = run_async(_requeue(environment, job))
    if as_json:
        print_json({"id": job, "status": status})
        return
    tell(f"{job} is {status} and its message was sent: a dispatcher takes it from here.")


async def _requeue(environment: Mapping[str, str], job_id: str) -> str:
    async with open_stores(environment) as stores:
        job = await stores.jobs.set_pending(job_id)
        await stores.queue.send(
            JOBS_QUEUE,
            encode_message(JobSubmitted(job_id=job.id)),
            attributes={"traceparent": job.traceparent} if job.traceparent else None,
        )
        return job.status

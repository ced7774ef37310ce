"""A job whose sample is done waits, and is told of once."""

from cody_jobs.events import ApprovalAwaited
from cody_jobs.models import JobStatus
from tests.contract import jobs as sample
from tests.unit.cody_dispatcher.room import Room


async def test_a_sample_whose_worker_told_nobody_of_its_end_is_found_and_told_of_once(room: Room) -> None:
    job = await sample.create(room.jobs, 5, sample=1)
    await sample.pilot(room.jobs, job.id, "owner/r1")
    await sample.do(room.jobs, job.id, {"owner/r1": sample.PATCH})
    room.compute.end("compute-1", 0, 0)
    await room.jobs.recover_shard(job.id, 1, 0, failure=None)

    for _ in range(2):
        await room.reconcile()

    assert (await room.jobs.get_job(job.id)).status is JobStatus.AWAITING_APPROVAL
    assert await room.events(job) == [ApprovalAwaited(queued=4)]
    assert room.compute.started == {}

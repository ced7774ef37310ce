"""Find out what became of shards, with as few calls as their number allows."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from cody_backends.aws.batch.batch_calls import IDS_AT_ONCE, BatchCalls
from cody_backends.aws.batch.seen_job import ChildCounts, SeenJob, read_counts, read_job, shard_of
from cody_jobs.ports.compute import ShardState

if TYPE_CHECKING:
    from types_aiobotocore_batch.literals import JobStatusType


async def find_shards(batch: BatchCalls, compute_id: str, indexes: Sequence[int]) -> dict[int, SeenJob]:
    """Those that Batch knows. The parent's counts may be all that there is to know; of up to 100 children the details
    are one more call, and of a large job the short lists tell most."""
    parent = (await batch.describe([compute_id])).get(compute_id)
    if parent is None:
        return {}
    counts = read_counts(parent)
    if counts is None:
        return {0: read_job(parent)} if 0 in indexes else {}
    wanted = [index for index in indexes if 0 <= index < counts.size]
    if (state := counts.all_are) is not None:
        exit_code = 0 if state is ShardState.SUCCEEDED else None
        return dict.fromkeys(wanted, SeenJob(state=state, exit_code=exit_code))
    if len(wanted) <= IDS_AT_ONCE:
        return await _describe(batch, compute_id, wanted)
    return await _find_many(batch, compute_id, set(wanted), counts)


async def is_array(batch: BatchCalls, compute_id: str) -> bool | None:
    """None: Batch does not know it."""
    parent = (await batch.describe([compute_id])).get(compute_id)
    return None if parent is None else read_counts(parent) is not None


async def _describe(batch: BatchCalls, compute_id: str, indexes: Sequence[int]) -> dict[int, SeenJob]:
    told = await batch.describe([f"{compute_id}:{index}" for index in indexes])
    return {shard_of(job_id)[1]: read_job(child) for job_id, child in told.items()}


async def _find_many(batch: BatchCalls, compute_id: str, wanted: set[int], counts: ChildCounts) -> dict[int, SeenJob]:
    """Ends are listed, never inferred: a child may go on between two calls."""
    failed = await _listed(batch, compute_id, "FAILED") if counts.failed else {}
    succeeded = await _listed(batch, compute_id, "SUCCEEDED") if counts.succeeded else {}
    ended = {index: job for index, job in {**failed, **succeeded}.items() if index in wanted}
    unfinished = wanted - ended.keys()
    running = unfinished if counts.running else set[int]()
    if counts.running and counts.waiting:
        # In the order that children go: none is overlooked between the two calls.
        starting = await _listed(batch, compute_id, "STARTING") if counts.starting else {}
        running = unfinished & (starting | await _listed(batch, compute_id, "RUNNING")).keys()
    return {
        **dict.fromkeys(unfinished - running, SeenJob(state=ShardState.WAITING)),
        **dict.fromkeys(running, SeenJob(state=ShardState.RUNNING)),
        **ended,
        **await _with_logs(batch, compute_id, ended),
    }


async def _with_logs(batch: BatchCalls, compute_id: str, ended: Mapping[int, SeenJob]) -> dict[int, SeenJob]:
    """Lists do not tell where a log is: ask, for as many failures as one call tells."""
    failed = [index for index, job in ended.items() if job.state is ShardState.FAILED and job.exit_code is not None]
    return await _describe(batch, compute_id, failed[:IDS_AT_ONCE])


async def _listed(batch: BatchCalls, compute_id: str, status: "JobStatusType") -> dict[int, SeenJob]:
    children = batch.list_children(compute_id, status)
    return {shard_of(child["jobId"])[1]: read_job(child) async for child in children}

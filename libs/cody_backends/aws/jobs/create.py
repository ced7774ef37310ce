"""Write a job with the names of its repositories, in steps that may be taken again by whoever comes after a crash.

A page never changes once it is written, so it does not matter who writes it, nor how often. `creation` tells pages of
this job from those that a stalled call left of a job with the same id, discarded since.
"""

from collections.abc import Sequence
from decimal import Decimal

from cody_backends.aws.errors import ConditionFailed
from cody_backends.aws.jobs.clean import discard
from cody_backends.aws.jobs.items import LISTING, Item, JobItem, Step, epoch, job_from, json_text
from cody_backends.aws.jobs.keys import page_key, pages_of
from cody_backends.aws.jobs.tables import Tables, each, job_key, runs_key
from cody_backends.aws.jobs.writes import Put, Update
from cody_jobs.errors import IdempotencyConflict, JobRejected, Unavailable
from cody_jobs.models import Job, JobSpec, JobStatus, NewJob

_PAGES_AT_ONCE = 16
_TRIES = 3
_LARGEST_SPEC = 350_000
_DELETION_SECONDS = 60.0


async def create_job(tables: Tables, *, job: NewJob, repositories: Sequence[str]) -> Job:
    if not repositories or len(set(repositories)) < len(repositories):
        raise JobRejected("a job needs at least one repository, and each of them once")
    check_size(job.spec)
    tables.remember_size(job.id, len(repositories))
    present = await _put_job(tables, job, len(repositories))
    if (present.job.fingerprint, present.job.repositories) != (job.fingerprint, len(repositories)):
        raise _conflict(job.id)
    if not _is_half(present):
        return present.job
    return await _finish_creating(tables, present.job, repositories)


def check_size(spec: JobSpec) -> None:
    """An item of DynamoDB holds 400 KB in all, counted in UTF-8."""
    size = len(json_text(spec).encode())
    if size > _LARGEST_SPEC:
        raise JobRejected(
            f"prompt and patterns take {size:,} bytes; at most {_LARGEST_SPEC:,} can be kept: shorten them"
        )


async def _put_job(tables: Tables, job: NewJob, repositories: int) -> JobItem:
    """The job as it is now there; one that was never whole and is being discarded is discarded first."""
    mark = tables.new_mark()
    for _ in range(_TRIES):
        put = _new_item(tables, job, repositories)
        try:
            return job_from(await tables.write(put, mark=mark) or put.item)
        except ConditionFailed as failed:
            there = job_from(failed.item)
        if not there.going:
            return there
        if there.step is Step.DISCARD:
            await discard(tables, there)
    raise Unavailable(tables.service, f"an old job {job.id} is being deleted", retry_after=_DELETION_SECONDS)


def _new_item(tables: Tables, job: NewJob, repositories: int) -> Put:
    now = tables.now()
    return Put(
        table=tables.jobs,
        item={
            "jobId": job.id,
            "status": JobStatus.CREATING.value,
            "step": Step.CREATE.value,
            "listing": LISTING,
            "name": job.spec.name,
            "type": job.spec.type.value,
            "spec": json_text(job.spec),
            "repositories": repositories,
            "fingerprint": job.fingerprint,
            "submittedBy": job.submitted_by,
            "traceparent": job.traceparent,
            "attempt": 0,
            "openShards": 0,
            "createdAt": now,
            "updatedAt": now,
        },
        condition="attribute_not_exists(#jobId)",
    )


def _is_half(item: JobItem) -> bool:
    return item.job.status is JobStatus.CREATING and item.step is Step.CREATE


async def _finish_creating(tables: Tables, job: Job, repositories: Sequence[str]) -> Job:
    """Two callers may be here at once: each writes what is missing, and one of them moves the job on."""
    pages = list(pages_of(repositories))
    for first in range(0, len(pages), _PAGES_AT_ONCE):
        if first and not await _still_creating(tables, job):
            break
        portion = pages[first : first + _PAGES_AT_ONCE]
        await each(portion, lambda page: _put_page(tables, job, *page), at_once=_PAGES_AT_ONCE)
    return await _make_pending(tables, job)


async def _still_creating(tables: Tables, job: Job) -> bool:
    """Says, too, that somebody still writes to it. False when somebody else has finished, stopped or discarded it."""
    try:
        await tables.write(_step_on(tables, job), mark=tables.new_mark())
    except ConditionFailed:
        return False
    return True


async def _put_page(tables: Tables, job: Job, page: int, names: Sequence[str]) -> None:
    creation = epoch(job.created_at)
    put = Put(
        table=tables.runs,
        item={
            **runs_key(page_key(job.id, page)),
            "names": list(names),
            "creation": creation,
            "expiresAt": tables.forget_at(),
        },
        condition="attribute_not_exists(#part) OR #creation < :creation",
        values={":creation": creation},
    )
    try:
        await tables.write(put, mark=tables.new_mark())
    except ConditionFailed as failed:
        _check_page(tables, job, failed.item, names, creation)


def _check_page(tables: Tables, job: Job, there: Item, names: Sequence[str], creation: Decimal) -> None:
    if there["creation"] != creation:
        raise _discarded(tables, job)
    if there["names"] != list(names):
        raise _conflict(job.id)


async def _make_pending(tables: Tables, job: Job) -> Job:
    made = _step_on(tables, job, status=JobStatus.PENDING)
    try:
        return job_from(await tables.write(made, mark=tables.new_mark())).job
    except ConditionFailed as failed:
        if not failed.item or failed.item["createdAt"] != epoch(job.created_at):
            raise _discarded(tables, job) from failed
        there = job_from(failed.item)
    if there.going:
        raise _discarded(tables, job)
    return there.job


def _step_on(tables: Tables, job: Job, *, status: JobStatus = JobStatus.CREATING) -> Update:
    return Update(
        table=tables.jobs,
        key=job_key(job.id),
        set={
            "status": status.value,
            "updatedAt": tables.now(),
            "step": Step.CREATE.value if status is JobStatus.CREATING else None,
        },
        condition="#status = :creating AND #step = :create AND #createdAt = :creation",
        values={
            ":creating": JobStatus.CREATING.value,
            ":create": Step.CREATE.value,
            ":creation": epoch(job.created_at),
        },
    )


def _discarded(tables: Tables, job: Job) -> Unavailable:
    return Unavailable(tables.service, f"job {job.id} was discarded while it was written")


def _conflict(job_id: str) -> IdempotencyConflict:
    return IdempotencyConflict(f"job {job_id} exists, made from another request")

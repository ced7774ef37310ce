"""Hold a run: claim it, keep it, give it back, end it.

The end of a lease is compared with this machine's clock; Amazon's time service keeps machines within milliseconds.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from cody_backends.aws.errors import ConditionFailed, TransactionRefused
from cody_backends.aws.jobs.items import RunItem, ShardItem, cut_text, epoch, failure_text, json_text, shard_from
from cody_backends.aws.jobs.keys import RunsKey
from cody_backends.aws.jobs.pages import find_run
from cody_backends.aws.jobs.read import known_run
from cody_backends.aws.jobs.shards import RunChange, change_runs, home_of
from cody_backends.aws.jobs.tables import Place, Tables, runs_key
from cody_backends.aws.jobs.writes import Update, Value
from cody_jobs.errors import LeaseLost, RunLost, Unavailable
from cody_jobs.lifecycle import JOB_ENDED, LOSSES_ALLOWED
from cody_jobs.models import (
    Failure,
    FailureCode,
    RepositoryRun,
    RunFailed,
    RunOutcome,
    RunResult,
    RunStatus,
    RunSucceeded,
)
from cody_jobs.ports.job_store import LeaseRenewal

_TRIES = 20
"""Somebody else changed the run between a look and a write: look again, so often."""
_LEASES_AT_ONCE = 40
"""An expression takes 300 operators and 4 KB."""


def worker_lost(times: int) -> Failure:
    message = f"the worker of this repository died or went silent {times} times"
    return Failure(code=FailureCode.WORKER_LOST, message=message, retryable=True)


async def claim_run(tables: Tables, *, job_id: str, repository: str, owner: str, lease: timedelta) -> RepositoryRun:
    mark = tables.new_mark()
    for _ in range(_TRIES):
        item = await known_run(tables, job_id, repository)
        key = home_of(item)
        async with tables.turn(key):
            shard, now = await _shard_when_held(tables, item, key, owner), tables.clock()
            change = _claim(item, shard, owner, now)
            try:
                await _write(tables, change, key, mark, (owner, now + lease))
            except TransactionRefused:
                continue
        return _claimed(tables, change, key, owner, now, lease)
    raise _never_still(tables, repository)


async def _shard_when_held(tables: Tables, item: RunItem, key: RunsKey, owner: str) -> ShardItem | None:
    if item.run.status is not RunStatus.RUNNING or item.run.lease_owner == owner:
        return None
    found = await tables.find(key)
    return None if found is None else shard_from(item.run.job_id, found)


def _claim(item: RunItem, shard: ShardItem | None, owner: str, now: datetime) -> RunChange:
    """What becomes of the run; raises when it is not to be had."""
    run = item.run
    if run.status is RunStatus.DISPATCHED:
        if run.losses >= LOSSES_ALLOWED:
            return _lost(item, owner, run.losses, now)
        return RunChange(was=item, status=RunStatus.RUNNING, set=_held(owner, now, now))
    if run.status is RunStatus.RUNNING and run.lease_owner == owner:
        return RunChange(was=item, status=RunStatus.RUNNING, set=_held(owner, run.started_at or now, now))
    if run.status is RunStatus.RUNNING and _is_over(item, shard, now):
        if run.losses + 1 >= LOSSES_ALLOWED:
            return _lost(item, owner, run.losses + 1, now)
        taken: dict[str, Value] = {**_held(owner, now, now), "losses": run.losses + 1, "alone": True}
        return RunChange(was=item, status=RunStatus.RUNNING, set=taken)
    if _ended_as_lost(item) and item.finished_by == owner:
        raise RunLost(f"{run.repository} was lost too often and has failed")
    raise LeaseLost(f"{run.repository} is {run.status}" + (f", held by {run.lease_owner}" if run.lease_owner else ""))


def _held(owner: str, started: datetime, now: datetime) -> dict[str, Value]:
    return {"leaseOwner": owner, "startedAt": epoch(started), "updatedAt": epoch(now), "finishedBy": None}


def _lost(item: RunItem, owner: str, losses: int, now: datetime) -> RunChange:
    ended: dict[str, Value] = {
        "failure": failure_text(worker_lost(LOSSES_ALLOWED)),
        "losses": losses,
        "alone": True,
        "finishedBy": owner,
        "endedAt": epoch(now),
        "updatedAt": epoch(now),
    }
    return RunChange(was=item, status=RunStatus.FAILED, set=ended)


def _is_over(item: RunItem, shard: ShardItem | None, now: datetime) -> bool:
    held = None if shard is None else shard.leases.get(item.run.position)
    return held is None or held.expires_at <= now


def _ended_as_lost(item: RunItem) -> bool:
    """No result that a worker finishes a run with has this code."""
    return item.run.failure is not None and item.run.failure.code is FailureCode.WORKER_LOST


async def _write(
    tables: Tables, change: RunChange, key: RunsKey, mark: str, lease: tuple[str, datetime] | None = None
) -> None:
    """A run that is taken from somebody is taken only if the lease is still over then."""
    writes = change_runs(tables, [change], home=key, lease=lease)
    was = change.was.run
    if lease is not None and was.status is RunStatus.RUNNING and was.lease_owner != lease[0]:
        count = writes[0]
        assert isinstance(count, Update)
        writes[0] = msgspec.structs.replace(
            count,
            condition="attribute_not_exists(#leases.#held) OR #leases.#held.#e <= :now",
            names={**count.names, "#held": str(was.position)},
        )
    await tables.transact(writes, mark=mark)


def _claimed(
    tables: Tables, change: RunChange, key: RunsKey, owner: str, now: datetime, lease: timedelta
) -> RepositoryRun:
    was = change.was.run
    if change.status is not RunStatus.RUNNING:
        raise RunLost(f"{was.repository} was lost too often and has failed")
    tables.remember_place(was.job_id, was.repository, Place(shard=key, position=was.position))
    same = was.lease_owner == owner
    return msgspec.structs.replace(
        was,
        status=RunStatus.RUNNING,
        lease_owner=owner,
        lease_expires_at=now + lease,
        losses=was.losses + (was.status is RunStatus.RUNNING and not same),
        started_at=was.started_at if same else now,
        updated_at=now,
    )


async def renew_leases(
    tables: Tables, *, job_id: str, repositories: Sequence[str], owner: str, lease: timedelta
) -> LeaseRenewal:
    """Two reads and one write, however many runs of one shard are held. A job that has ended holds nobody's lease."""
    places, item = await asyncio.gather(_places(tables, job_id, repositories), tables.job(job_id))
    if item.job.status in JOB_ENDED:
        return LeaseRenewal(held=frozenset(), job_status=item.job.status)
    held: set[str] = set()
    found = await tables.find_all(list({place.shard: None for place in places.values()}))
    for key, attributes in found.items():
        here = {name: place.position for name, place in places.items() if place.shard == key}
        mine = list(_still_of(owner, here, shard_from(job_id, attributes)).items())
        for first in range(0, len(mine), _LEASES_AT_ONCE):
            held |= await _extend(tables, key, dict(mine[first : first + _LEASES_AT_ONCE]), owner, lease)
    return LeaseRenewal(held=frozenset(held), job_status=item.job.status)


async def _places(tables: Tables, job_id: str, repositories: Sequence[str]) -> dict[str, Place]:
    """Where each run is: this process knows what it has claimed, and asks about the others."""
    places: dict[str, Place] = {}
    for name in repositories:
        place = tables.remembered_place(job_id, name)
        if place is None:
            run = await find_run(tables, job_id, name)
            if run is None or run.run.status is not RunStatus.RUNNING:
                continue
            place = Place(shard=home_of(run), position=run.run.position)
            tables.remember_place(job_id, name, place)
        places[name] = place
    return places


def _still_of(owner: str, positions: Mapping[str, int], shard: ShardItem) -> dict[str, int]:
    mine = {position for position, lease in shard.leases.items() if lease.owner == owner}
    return {name: position for name, position in positions.items() if position in mine}


async def _extend(tables: Tables, key: RunsKey, names: Mapping[str, int], owner: str, lease: timedelta) -> set[str]:
    """Names whose lease was extended: when one of them is not ours any more, the others are."""
    left = dict(names)
    for _ in range(_TRIES):
        if not left:
            return set()
        try:
            await tables.write(_extension(tables, key, list(left.values()), owner, lease), mark=tables.new_mark())
        except ConditionFailed as failed:
            left = _still_of(owner, left, shard_from(key.job_id, failed.item)) if failed.item else {}
            continue
        return set(left)
    raise _never_still(tables, ", ".join(names))


def _extension(tables: Tables, key: RunsKey, positions: Sequence[int], owner: str, lease: timedelta) -> Update:
    places = {f"#p{number}": str(position) for number, position in enumerate(positions)}
    return Update(
        table=tables.runs,
        key=runs_key(key),
        expressions=tuple(f"#leases.{place}.#e = :until" for place in places),
        condition=" AND ".join(f"#leases.{place}.#o = :owner" for place in places),
        values={":until": epoch(tables.clock() + lease), ":owner": owner},
        names=places,
    )


async def release_run(tables: Tables, *, job_id: str, repository: str, owner: str) -> None:
    mark = tables.new_mark()
    for _ in range(_TRIES):
        item = await known_run(tables, job_id, repository)
        if item.run.status is not RunStatus.RUNNING or item.run.lease_owner != owner:
            return
        back: dict[str, Value] = {"shard": None, "startedAt": None}
        key = home_of(item)
        async with tables.turn(key):
            try:
                await _write(tables, RunChange(was=item, status=RunStatus.QUEUED, set=back), key, mark)
            except TransactionRefused:
                continue
        return
    raise _never_still(tables, repository)


async def finish_run(tables: Tables, *, job_id: str, repository: str, owner: str, result: RunResult) -> RepositoryRun:
    """Its owner may say the same again: it cannot know whether the first time was heard."""
    end, mark = _End(result), tables.new_mark()
    for _ in range(_TRIES):
        item = await known_run(tables, job_id, repository)
        if item.run.status is not RunStatus.RUNNING or item.run.lease_owner != owner:
            if item.finished_by == owner and end.is_of(item.run):
                return item.run
            raise LeaseLost(f"{repository} is {item.run.status} and not held by {owner}")
        key, now = home_of(item), tables.clock()
        async with tables.turn(key):
            try:
                await _write(tables, end.change(item, owner, epoch(now)), key, mark)
            except TransactionRefused:
                continue
        return end.applied_to(item.run, now)
    raise _never_still(tables, repository)


class _End:
    """A result as the attributes it is kept in."""

    def __init__(self, result: RunResult) -> None:
        self.files = result.files
        self.status = RunStatus.SUCCEEDED
        self.outcome: RunOutcome | None = None
        self.reason: str | None = None
        self.failure: Failure | None = None
        match result:
            case RunSucceeded():
                self.outcome, self.reason = result.outcome, cut_text(result.reason)
            case RunFailed():
                message = cut_text(result.failure.message) or ""
                self.status, self.failure = RunStatus.FAILED, msgspec.structs.replace(result.failure, message=message)

    def is_of(self, run: RepositoryRun) -> bool:
        mine = (self.status, self.outcome, self.reason, self.failure, self.files)
        return mine == (run.status, run.outcome, run.reason, run.failure, run.files)

    def change(self, item: RunItem, owner: str, now: Value) -> RunChange:
        ended: dict[str, Value] = {
            "reason": self.reason,
            "failure": failure_text(self.failure),
            "files": json_text(self.files),
            "finishedBy": owner,
            "endedAt": now,
            "updatedAt": now,
        }
        return RunChange(was=item, status=self.status, outcome=self.outcome, set=ended)

    def applied_to(self, run: RepositoryRun, now: datetime) -> RepositoryRun:
        return msgspec.structs.replace(
            run,
            status=self.status,
            outcome=self.outcome,
            reason=self.reason,
            failure=self.failure,
            files=self.files,
            lease_owner=None,
            lease_expires_at=None,
            ended_at=now,
            updated_at=now,
        )


def _never_still(tables: Tables, what: str) -> Unavailable:
    return Unavailable(tables.service, f"{what} was changed by others {_TRIES} times in a row")

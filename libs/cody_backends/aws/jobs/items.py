"""Items as what they stand for. Numbers are Decimals on the wire; times are epoch seconds with microseconds."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct

from cody_backends.aws.jobs.keys import PAGE
from cody_jobs.lifecycle import JOB_ENDED
from cody_jobs.models import (
    Failure,
    FileCounts,
    FormerPrompt,
    Job,
    JobSpec,
    JobStatus,
    RepositoryRun,
    RunCounts,
    RunOutcome,
    RunStatus,
    SampledRepository,
    Shard,
)
from cody_jobs.run_filter import RunFilter

Item = Mapping[str, Any]
"""An item's attributes as Python values: str, Decimal, bytes, bool, list, dict."""

LISTING = "job"
TEXT_KEPT = 10_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Step(StrEnum):
    """A change of many items that is under way; whoever comes next completes it."""

    CREATE = "create"
    SWEEP = "sweep"
    REQUEUE = "requeue"
    DISCARD = "discard"
    PRUNE = "prune"


class JobItem(Struct, frozen=True, kw_only=True):
    """`mark` is the call that made the last change of status, `step_mark` the one that began the step; `counts` are
    known once a job has ended for good. `approval` is the mark of what was said. `rerun` says which runs were queued
    again last (None: never but those that a plain retry means)."""

    job: Job
    open_shards: int
    step: Step | None
    step_mark: str | None
    mark: str | None
    requeued: int
    counts: RunCounts | None
    approval: str | None = None
    rerun: RunFilter | None = None

    @property
    def untouched(self) -> bool:
        """No run was ever written: each is implied by its page."""
        return self.job.attempt == 0 and self.rerun is None

    @property
    def going(self) -> bool:
        """It is being deleted: nobody is shown it any more."""
        return self.step in {Step.DISCARD, Step.PRUNE}


class RunItem(Struct, frozen=True, kw_only=True):
    """`run` without the end of its lease, which is on the shard. `alone`: it was lost before and never shares a shard
    again. `written`: False for a run that is implied by its page."""

    run: RepositoryRun
    alone: bool = False
    finished_by: str | None = None
    mark: str | None = None
    written: bool = True


class Lease(Struct, frozen=True, kw_only=True):
    owner: str
    expires_at: datetime


class ShardItem(Struct, frozen=True, kw_only=True):
    """`counts` has the runs whose home it is (`queued` is always 0); `leases` are by position."""

    job_id: str
    attempt: int
    index: int
    positions: tuple[int, ...]
    counts: RunCounts
    leases: Mapping[int, Lease]
    created_at: datetime
    ended_at: datetime | None
    mark: str | None

    @property
    def open(self) -> bool:
        """The shard that is none was never open."""
        return self.attempt > 0 and self.ended_at is None


class AttemptItem(Struct, frozen=True, kw_only=True):
    """`queued` and `alone` are bitmaps of positions: which runs are cut into shards, and which of them get one each."""

    job_id: str
    number: int
    shards: int
    per_shard: int
    queued: bytes
    alone: bytes
    compute_id: str | None
    created_at: datetime
    mark: str | None


COUNTERS: Mapping[RunStatus | RunOutcome, str] = {
    RunStatus.DISPATCHED: "dispatched",
    RunStatus.RUNNING: "running",
    RunStatus.SUCCEEDED: "succeeded",
    RunStatus.FAILED: "failed",
    RunStatus.CANCELLED: "cancelled",
    RunOutcome.PULL_REQUEST: "pullRequests",
    RunOutcome.PATCH: "patches",
    RunOutcome.NO_CHANGES: "noChanges",
    RunOutcome.ESTIMATED: "estimated",
}
"""Attributes of a shard that count (nothing yet, where one is not there). QUEUED is not among them: it is what the
shards leave over."""


def epoch(time: datetime) -> Decimal:
    return Decimal((time - _EPOCH) // _MICROSECOND) / 1_000_000


def time_from(number: Decimal) -> datetime:
    return _EPOCH + timedelta(microseconds=int(number * 1_000_000))


def json_text(value: object) -> str:
    return msgspec.json.encode(value).decode()


def cut_text(text: str | None) -> str | None:
    """What people read is cut where it would fill the item, which holds 400 KB."""
    if text is None or len(text) <= TEXT_KEPT:
        return text
    return f"{text[:TEXT_KEPT]} … ({len(text) - TEXT_KEPT} more characters)"


def failure_text(failure: Failure | None) -> str | None:
    if failure is None:
        return None
    return json_text(msgspec.structs.replace(failure, message=cut_text(failure.message) or ""))


def job_from(item: Item) -> JobItem:
    """What belongs to an end is shown at an end only: an operator who sets a status by hand changes nothing else."""
    status = JobStatus(item["status"])
    ended = status in JOB_ENDED
    updated_at = time_from(item["updatedAt"])
    job = Job(
        id=item["jobId"],
        spec=msgspec.json.decode(item["spec"], type=JobSpec),
        status=status,
        repositories=int(item["repositories"]),
        fingerprint=item["fingerprint"],
        submitted_by=item["submittedBy"],
        traceparent=item.get("traceparent"),
        attempt=int(item["attempt"]),
        failure=_failure_from(item.get("failure")) if ended else None,
        created_at=time_from(item["createdAt"]),
        updated_at=updated_at,
        ended_at=(_time_or_none(item, "endedAt") or updated_at) if ended else None,
        sample=msgspec.json.decode(item.get("sample", "[]"), type=tuple[SampledRepository, ...]),
        approved="approval" in item,
        former_prompts=msgspec.json.decode(item.get("formerPrompts", "[]"), type=tuple[FormerPrompt, ...]),
    )
    counts, rerun = item.get("counts"), item.get("rerun")
    return JobItem(
        job=job,
        open_shards=int(item["openShards"]),
        step=Step(item["step"]) if "step" in item else None,
        step_mark=item.get("stepMark"),
        mark=item.get("mark"),
        requeued=int(item.get("requeued", 0)),
        counts=msgspec.json.decode(counts, type=RunCounts) if counts and ended else None,
        approval=item.get("approval"),
        rerun=msgspec.json.decode(rerun, type=RunFilter) if rerun else None,
    )


def run_from(item: Item) -> RunItem:
    shard, outcome = item.get("shard"), item.get("outcome")
    run = RepositoryRun(
        job_id=item["jobId"],
        repository=item["repository"],
        position=int(item["position"]),
        status=RunStatus(item["status"]),
        outcome=RunOutcome(outcome) if outcome else None,
        reason=item.get("reason"),
        failure=_failure_from(item.get("failure")),
        files=msgspec.json.decode(item.get("files", "{}"), type=FileCounts),
        attempt=int(item["attempt"]),
        shard=None if shard is None else int(shard),
        dispatches=int(item["dispatches"]),
        losses=int(item["losses"]),
        lease_owner=item.get("leaseOwner"),
        lease_expires_at=None,
        started_at=_time_or_none(item, "startedAt"),
        ended_at=_time_or_none(item, "endedAt"),
        updated_at=time_from(item["updatedAt"]),
    )
    return RunItem(run=run, alone=bool(item.get("alone")), finished_by=item.get("finishedBy"), mark=item.get("mark"))


def implied_run(job: Job, repository: str, position: int) -> RunItem:
    """A run that was never dispatched: only its page knows of it."""
    run = RepositoryRun(
        job_id=job.id,
        repository=repository,
        position=position,
        status=RunStatus.QUEUED,
        outcome=None,
        reason=None,
        failure=None,
        files=FileCounts(),
        attempt=0,
        shard=None,
        dispatches=0,
        losses=0,
        lease_owner=None,
        lease_expires_at=None,
        started_at=None,
        ended_at=None,
        updated_at=job.created_at,
    )
    return RunItem(run=run, written=False)


def shard_from(job_id: str, item: Item) -> ShardItem:
    """Of a shard that was closed before it was written, only the end is there."""
    _, attempt, index = str(item["item"]).split("#")
    leases: Mapping[str, Any] = item.get("leases", {})
    return ShardItem(
        job_id=job_id,
        attempt=int(attempt),
        index=int(index),
        positions=tuple(int(position) for position in item.get("positions", ())),
        counts=_counts_from(item),
        leases={
            int(position): Lease(owner=lease["o"], expires_at=time_from(lease["e"]))
            for position, lease in leases.items()
        },
        created_at=time_from(item["createdAt"]),
        ended_at=_time_or_none(item, "endedAt"),
        mark=item.get("mark"),
    )


def attempt_from(job_id: str, item: Item) -> AttemptItem:
    return AttemptItem(
        job_id=job_id,
        number=int(item["number"]),
        shards=int(item["shards"]),
        per_shard=int(item["perShard"]),
        queued=bytes(item["queued"]),
        alone=bytes(item["alone"]),
        compute_id=item.get("computeId"),
        created_at=time_from(item["createdAt"]),
        mark=item.get("mark"),
    )


def names_from(item: Item) -> tuple[str, ...]:
    return tuple(item["names"])


def shard_view(shard: ShardItem, names: Sequence[str], compute_id: str | None) -> Shard:
    """`names` are those of its positions."""
    return Shard(
        job_id=shard.job_id,
        attempt=shard.attempt,
        index=shard.index,
        repositories=tuple(names),
        compute_id=compute_id,
        created_at=shard.created_at,
        ended_at=shard.ended_at,
    )


def run_view(item: RunItem, shard: ShardItem | None) -> RepositoryRun:
    """The run with the end of its lease, which its shard knows."""
    run = item.run
    if run.status is not RunStatus.RUNNING or shard is None or run.position not in shard.leases:
        return run
    return msgspec.structs.replace(run, lease_expires_at=shard.leases[run.position].expires_at)


def sum_counts(repositories: int, shards: Sequence[ShardItem]) -> RunCounts:
    """What no shard counts is queued. Shards are not read all at one moment: a run that moves may be on two of them."""
    names = [name for name in RunCounts.__struct_fields__ if name != "queued"]
    sums = {name: sum(getattr(shard.counts, name) for shard in shards) for name in names}
    counted = RunCounts(**sums)
    return msgspec.structs.replace(counted, queued=max(repositories - counted.total, 0))


def page_and_place(position: int) -> tuple[int, int]:
    return divmod(position, PAGE)


def bitmap(positions: Sequence[int], size: int) -> bytes:
    bits = bytearray(-(-size // 8) or 1)
    for position in positions:
        bits[position // 8] |= 1 << position % 8
    return bytes(bits)


def positions_in(bits: bytes) -> list[int]:
    return [byte * 8 + bit for byte, value in enumerate(bits) if value for bit in range(8) if value >> bit & 1]


def _counts_from(item: Item) -> RunCounts:
    def count(key: RunStatus | RunOutcome) -> int:
        return int(item.get(COUNTERS[key], 0))

    return RunCounts(
        dispatched=count(RunStatus.DISPATCHED),
        running=count(RunStatus.RUNNING),
        succeeded=count(RunStatus.SUCCEEDED),
        failed=count(RunStatus.FAILED),
        cancelled=count(RunStatus.CANCELLED),
        pull_requests=count(RunOutcome.PULL_REQUEST),
        patches=count(RunOutcome.PATCH),
        no_changes=count(RunOutcome.NO_CHANGES),
        estimated=count(RunOutcome.ESTIMATED),
    )


def _failure_from(text: str | None) -> Failure | None:
    return msgspec.json.decode(text, type=Failure) if text else None


def _time_or_none(item: Item, name: str) -> datetime | None:
    return time_from(item[name]) if name in item else None

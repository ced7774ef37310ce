"""A job as AWS Batch tells of it, in DescribeJobs, ListJobs and its events alike."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from cody_jobs.ports.compute import ShardState

_STATES = {
    "SUBMITTED": ShardState.WAITING,
    "PENDING": ShardState.WAITING,
    "RUNNABLE": ShardState.WAITING,
    # It has its place, and its worker may be at work already: Batch hears of that late.
    "STARTING": ShardState.RUNNING,
    "RUNNING": ShardState.RUNNING,
    "SUCCEEDED": ShardState.SUCCEEDED,
    "FAILED": ShardState.FAILED,
}
_ENDED = frozenset({ShardState.SUCCEEDED, ShardState.FAILED})


class SeenJob(Struct, frozen=True, kw_only=True):
    """`said` is what Batch says of its end, `container_said` what the container engine says (out of memory)."""

    state: ShardState
    exit_code: int | None = None
    said: str | None = None
    container_said: str | None = None
    log_stream: str | None = None

    @property
    def ended(self) -> bool:
        return self.state in _ENDED


def read_job(told: Mapping[str, Any]) -> SeenJob:
    state = _STATES.get(told.get("status", ""), ShardState.WAITING)
    container: Mapping[str, Any] = told.get("container") or {}
    return SeenJob(
        state=state,
        exit_code=container.get("exitCode") if state in _ENDED else None,
        said=told.get("statusReason"),
        container_said=container.get("reason"),
        log_stream=container.get("logStreamName"),
    )


def shard_of(job_id: str) -> tuple[str, int]:
    """The compute id and the shard that a job is for: children are `id:index`, a plain job is shard 0."""
    compute_id, _, index = job_id.partition(":")
    return compute_id, int(index or 0)


class ChildCounts(Struct, frozen=True, kw_only=True):
    """How many children of an array job are in which state; `starting` are among `running`."""

    size: int
    succeeded: int
    failed: int
    running: int
    starting: int

    @property
    def waiting(self) -> int:
        return self.size - self.succeeded - self.failed - self.running

    @property
    def all_are(self) -> ShardState | None:
        """The state that all children are in. Ends are final, and a child that has just left another state will be
        asked about again: a count that is a little old does no harm."""
        if self.size == 0:
            return None
        if self.waiting == self.size:
            return ShardState.WAITING
        if self.running == self.size:
            return ShardState.RUNNING
        return ShardState.SUCCEEDED if self.succeeded == self.size else None


def read_counts(told: Mapping[str, Any]) -> ChildCounts | None:
    """Of an array job's parent; None for a plain job."""
    array: Mapping[str, Any] = told.get("arrayProperties") or {}
    if "size" not in array:
        return None
    summary: Mapping[str, int] = array.get("statusSummary") or {}
    return ChildCounts(
        size=array["size"],
        succeeded=summary.get("SUCCEEDED", 0),
        failed=summary.get("FAILED", 0),
        running=summary.get("RUNNING", 0) + summary.get("STARTING", 0),
        starting=summary.get("STARTING", 0),
    )

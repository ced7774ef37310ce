"""Jobs and the children of array jobs, and how AWS tells of them."""

import time
import uuid
from collections import Counter
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from msgspec import Struct

from cody_stand_ins.batch.options import Options
from cody_stand_ins.batch.retrying import RetryStrategy

HOST = "i-0123456789abcdef0"


class Status(StrEnum):
    SUBMITTED = "SUBMITTED"
    PENDING = "PENDING"
    RUNNABLE = "RUNNABLE"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


ENDED = frozenset({Status.SUCCEEDED, Status.FAILED})


class JobPlan(Struct, frozen=True, kw_only=True):
    """What was submitted, with the definition's part of it. `timeout` is in seconds, per attempt."""

    name: str
    queue: Mapping[str, Any]
    definition: Mapping[str, Any]
    environment_name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    vcpus: float
    retry: RetryStrategy
    timeout: float | None
    tags: Mapping[str, str]
    log_group: str


class Attempt(Struct, kw_only=True):
    """One run of a process."""

    log_stream: str
    started_at: int
    stopped_at: int | None = None
    exit_code: int | None = None
    status_reason: str | None = None
    reason: str | None = None

    def told(self) -> dict[str, Any]:
        container = {"logStreamName": self.log_stream, "exitCode": self.exit_code, "reason": self.reason}
        return _without_none(
            {
                "container": _without_none(container),
                "startedAt": self.started_at,
                "stoppedAt": self.stopped_at,
                "statusReason": self.status_reason,
            }
        )


class Unit:
    """What gets a process: a plain job, or a child of an array job."""

    def __init__(self, job: "Job", index: int | None) -> None:
        self.job = job
        self.index = index
        self.id = job.id if index is None else f"{job.id}:{index}"
        self.status = Status.SUBMITTED
        self.status_reason: str | None = None
        self.attempts: list[Attempt] = []
        self.stopping: str | None = None
        """The reason that TerminateJob gave."""
        self.lost = False
        self.pid: int | None = None

    @property
    def ended(self) -> bool:
        return self.status in ENDED

    def told(self) -> dict[str, Any]:
        last = self.attempts[-1] if self.attempts else None
        container: dict[str, Any] = {
            "image": self.job.plan.definition["containerProperties"]["image"],
            "command": self.job.plan.command,
            "environment": [{"name": name, "value": value} for name, value in self.job.plan.environment.items()],
            **(last.told()["container"] if last else {}),
        }
        told = {
            **self.job.told_of_all(self.id, self.status, self.status_reason),
            **_times(self.attempts, ended=self.ended),
            "container": container,
            "attempts": [attempt.told() for attempt in self.attempts if attempt.stopped_at],
            "isTerminated": self.stopping is not None,
        }
        if self.index is not None:
            told["arrayProperties"] = {"statusSummary": {}, "index": self.index}
        return told

    def summary(self) -> dict[str, Any]:
        """As ListJobs tells it."""
        last = self.attempts[-1] if self.attempts else None
        container = _without_none({"exitCode": last.exit_code, "reason": last.reason}) if last else {}
        told = self.job.told_of_all(self.id, self.status, self.status_reason)
        kept = ("jobArn", "jobId", "jobName", "createdAt", "status", "statusReason", "jobDefinition")
        summary = {**{name: told[name] for name in kept if name in told}, "container": container}
        summary.update(_times(self.attempts, ended=self.ended))
        if self.index is not None:
            summary["arrayProperties"] = {"index": self.index}
        return summary


class Job:
    """`size` is None for a plain job."""

    def __init__(self, plan: JobPlan, size: int | None, options: Options) -> None:
        self.id = str(uuid.uuid4())
        self.plan = plan
        self.size = size
        self._options = options
        self.created_at = now()
        self.units = [Unit(self, index) for index in range(size)] if size else [Unit(self, None)]
        self._counts = Counter({Status.SUBMITTED: len(self.units)})

    @property
    def status(self) -> Status:
        """A parent is PENDING until all its children have ended, and FAILED if one of them has."""
        if self.size is None:
            return self.units[0].status
        if self._counts[Status.SUCCEEDED] + self._counts[Status.FAILED] < self.size:
            return Status.PENDING
        return Status.FAILED if self._counts[Status.FAILED] else Status.SUCCEEDED

    def move(self, unit: Unit, status: Status) -> None:
        """Counted as it happens: jobs have thousands of children."""
        self._counts[unit.status] -= 1
        self._counts[status] += 1
        unit.status = status

    def unit(self, job_id: str) -> Unit | None:
        if self.size is None:
            return self.units[0] if job_id == self.id else None
        index = job_id.removeprefix(f"{self.id}:")
        return self.units[int(index)] if index.isdecimal() and int(index) < self.size else None

    def told(self) -> dict[str, Any]:
        if self.size is None:
            return self.units[0].told()
        summary = {status.value: self._counts[status] for status in Status}
        reason = "Array Child Job failed" if self.status is Status.FAILED else None
        return {
            **self.told_of_all(self.id, self.status, reason),
            "startedAt": 0,
            "arrayProperties": {"statusSummary": summary, "size": self.size},
        }

    def told_of_all(self, job_id: str, status: Status, status_reason: str | None) -> dict[str, Any]:
        """What is the same for parents, children and plain jobs."""
        return _without_none(
            {
                "jobArn": self._options.arn(f"job/{job_id}"),
                "jobName": self.plan.name,
                "jobId": job_id,
                "jobQueue": self.plan.queue["jobQueueArn"],
                "jobDefinition": self.plan.definition["jobDefinitionArn"],
                "status": status.value,
                "statusReason": status_reason,
                "createdAt": self.created_at,
                "retryStrategy": self.plan.retry.told(),
                "tags": dict(self.plan.tags),
            }
        )


def now() -> int:
    """Milliseconds since 1970."""
    return int(time.time() * 1000)


def _times(attempts: list[Attempt], *, ended: bool) -> dict[str, Any]:
    if not attempts:
        return {"startedAt": 0}
    stopped = {"stoppedAt": attempts[-1].stopped_at} if ended else {}
    return {"startedAt": attempts[-1].started_at, **stopped}


def _without_none(told: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in told.items() if value is not None}

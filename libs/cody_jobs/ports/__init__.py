"""The promises that adapters keep; `cody_backends` opens them, `cody_hosts` has the code hosts."""

from cody_jobs.ports.code_host import CloneSource, CodeHost
from cody_jobs.ports.compute import Compute, ComputeRequest, ShardReport, ShardState
from cody_jobs.ports.job_store import (
    Approved,
    JobStore,
    LeaseRenewal,
    OpenShard,
    RecoveredRuns,
    ShardEnd,
)
from cody_jobs.ports.result_store import ResultStore
from cody_jobs.ports.room_store import RoomStore
from cody_jobs.ports.token_store import ApiToken, Role, TokenStore
from cody_jobs.ports.work_queue import DeadLetter, QueueDepth, ReceivedMessage, WorkQueue

__all__ = [
    "ApiToken",
    "Approved",
    "CloneSource",
    "CodeHost",
    "Compute",
    "ComputeRequest",
    "DeadLetter",
    "JobStore",
    "LeaseRenewal",
    "OpenShard",
    "QueueDepth",
    "ReceivedMessage",
    "RecoveredRuns",
    "ResultStore",
    "Role",
    "RoomStore",
    "ShardEnd",
    "ShardReport",
    "ShardState",
    "TokenStore",
    "WorkQueue",
]

"""Start workers for the shards of a job, tell their state, stop them."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Protocol, runtime_checkable

from msgspec import Struct

EXIT_OK = 0
EXIT_FAILED = 1
"""The worker cannot do its shard and never will (a wrong setting, a bug): trying again does not help."""
EXIT_TRY_AGAIN = 75
"""The worker gave its runs back (a signal, a dependency that stayed away): EX_TEMPFAIL of sysexits.h."""


class ComputeRequest(Struct, frozen=True, kw_only=True):
    """`shards` workers, which differ in `AWS_BATCH_JOB_ARRAY_INDEX` (0 to shards - 1) alone. `environment` is added to
    what the adapter gives every worker (settings, Claude key); it never holds a user's text."""

    job_id: str
    attempt: int
    shards: int
    environment: Mapping[str, str]


class ShardState(StrEnum):
    WAITING = "WAITING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    UNKNOWN = "UNKNOWN"


class ShardReport(Struct, frozen=True, kw_only=True):
    """`exit_code` is 128 + n for signal n, as shells and containers have it. UNKNOWN: compute has no memory of it, so
    it is surely not running."""

    state: ShardState
    exit_code: int | None
    reason: str | None


@runtime_checkable
class Compute(Protocol):
    """Raises `Unavailable` when the service stays away."""

    async def ping(self) -> None: ...

    async def start(self, request: ComputeRequest) -> str:
        """Start (or queue) all shards and return the compute id."""
        ...

    async def describe(self, compute_id: str, indexes: Sequence[int]) -> dict[int, ShardReport]: ...

    async def stop(self, compute_id: str, *, indexes: Sequence[int] | None = None) -> None:
        """Ask the workers to end (SIGTERM, then SIGKILL after the grace of 20 s); all of them without `indexes`."""
        ...

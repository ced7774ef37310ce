"""Money that is reserved before it is spent, against the caps of a job, of each repository and of each file."""

from enum import StrEnum
from typing import Protocol, runtime_checkable

from msgspec import Struct

from cody_jobs.models import JobSpec


class CapLevel(StrEnum):
    FILE = "file"
    REPOSITORY = "repository"
    JOB = "job"


class Caps(Struct, frozen=True, kw_only=True):
    """In millionths of a US dollar; None: no cap."""

    job: int | None = None
    repository: int | None = None
    file: int | None = None

    @classmethod
    def of(cls, spec: JobSpec) -> "Caps":
        return cls(
            job=spec.max_cost_microusd,
            repository=spec.max_repository_cost_microusd,
            file=spec.max_file_cost_microusd,
        )


NO_CAPS = Caps()


class Reserved(Struct, frozen=True, kw_only=True):
    """`microusd` are held until the reservation is settled."""

    microusd: int


class CapReached(Struct, frozen=True, kw_only=True):
    """Nothing was reserved. `level` is the cap that leaves the least, `cap` how much that is in all, `unspent` what it
    leaves beside what was spent. Of what is neither spent nor reserved, `scarce` has the least: `free`."""

    level: CapLevel
    cap: int
    unspent: int
    scarce: CapLevel
    free: int


class Balance(Struct, frozen=True, kw_only=True):
    """Of what has a cap. `reserved` may yet be spent, in whole or in part."""

    spent: int = 0
    reserved: int = 0


@runtime_checkable
class MoneyStore(Protocol):
    """No cap is passed, however many ask at once: what is reserved counts like what is spent.

    An id is its caller's. A reservation that nobody settles (its owner died) stays reserved: nobody knows what became
    of it. Raises `Unavailable` when the database stays away.
    """

    async def reserve(
        self, reservation_id: str, *, job_id: str, repository: str, path: str, microusd: int, caps: Caps, owner: str
    ) -> Reserved | CapReached:
        """All caps that there are, or none. An id that is reserved already stays as it is, and becomes this owner's.

        Without a repository (the job's plan) only the job's cap counts.
        """
        ...

    async def settle(self, job_id: str, reservation_id: str, *, spent: int) -> None:
        """It has cost this, be it more or less than was reserved. What was settled stays as it is."""
        ...

    async def release(self, job_id: str, reservation_id: str) -> None:
        """It has cost nothing."""
        ...

    async def settle_recorded(self, job_id: str, repository: str, *, owner: str) -> None:
        """Settle what other owners have left, where the calls that are recorded of a file tell what it has cost."""
        ...

    async def balance(self, job_id: str, repository: str = "", path: str = "") -> Balance:
        """Of the job, or of one of its repositories or files."""
        ...

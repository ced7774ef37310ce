"""Which requests of a job are on their way in a batch: written down before a batch is sent, so that nobody sends them
again, whoever dies."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable

from msgspec import Struct


class Submission(Struct, frozen=True, kw_only=True):
    """Requests that go out as one batch. `batch_id` is None until Claude's answer, which names it, was written down.
    `intended_at` is before it was sent, by the store's clock."""

    id: str
    job_id: str
    custom_ids: tuple[str, ...]
    batch_id: str | None
    owner: str
    intended_at: datetime


def call_id(batch_id: str, custom_id: str) -> str:
    """What a recorded call has as its request id: the same one, whoever reads the batch's results."""
    return f"{batch_id}:{custom_id}"


@runtime_checkable
class BatchStore(Protocol):
    """A custom id stands for one request of a job, and belongs to one submission at a time.

    Everything may be done twice. Raises `Unavailable` when the database stays away.
    """

    async def round_of(self, job_id: str) -> int:
        """How often somebody asked for the job's runs once more: what was recorded in an earlier round is history then,
        and may be asked anew."""
        ...

    async def intend(
        self,
        submission_id: str,
        *,
        job_id: str,
        round_number: int,
        owner: str,
        lease: timedelta,
        custom_ids: Sequence[str],
    ) -> Mapping[str, str]:
        """For each request the submission that it belongs to: this one, which may send it as long as its owner holds
        the lease; or an earlier one, whose answer is to be waited for."""
        ...

    async def held(self, job_id: str, custom_ids: Collection[str], *, round_number: int) -> frozenset[str]:
        """Those that `intend` would leave with an earlier submission."""
        ...

    async def find(self, submission_id: str) -> Submission | None: ...

    async def claim(self, submission_id: str, *, owner: str, lease: timedelta) -> bool:
        """Take a submission that has no batch yet, if it is nobody else's any more; or hold it for longer."""
        ...

    async def sent(self, submission_id: str, batch_id: str) -> None:
        """This is its batch; the first one that is told stays."""
        ...

    async def ended(self, submission_id: str) -> None:
        """Its batch has ended: there is nothing left in it that could be cancelled."""
        ...

    async def take_back(self, submission_id: str, *, owner: str) -> None:
        """Nothing was sent: its requests belong to nobody. Only where it has no batch, and is still this owner's."""
        ...

    async def leave_out(self, submission_id: str, custom_ids: Collection[str]) -> None:
        """They got no answer there, and belong to nobody."""
        ...

    async def known(self, batch_ids: Collection[str]) -> frozenset[str]:
        """Those that belong to a submission, of whatever job."""
        ...

    async def open_batches(self, job_id: str) -> Sequence[str]:
        """Those of the job that are not known to have ended."""
        ...

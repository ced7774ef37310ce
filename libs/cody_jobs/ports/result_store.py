"""What is large or queried: patches, threads, usage and cost, events, spans."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol, runtime_checkable

from cody_jobs.events import Event, EventBody
from cody_jobs.models import Page
from cody_jobs.outcomes import ClaudeThread, FileRecord, FileResult, KnownOutcome, RunPatch, UsageTotals
from cody_jobs.spans import SpanRecord


@runtime_checkable
class ResultStore(Protocol):
    """Raises `ResultNotFound` for what is not there, `Unavailable` when the database stays away."""

    async def ping(self) -> None: ...

    async def find_outcomes(self, questions: Sequence[str]) -> dict[str, KnownOutcome]:
        """Earlier outcomes by question; absent when nobody asked it before, or it was never answered."""
        ...

    async def record_file(self, record: FileRecord) -> None:
        """Store outcome, usage and conversation of one file and append its `FileDone` event, all or nothing.

        The same (job, repository, path) again replaces outcome and conversation and adds the usage: money that was
        spent stays counted.
        """
        ...

    async def list_files(self, job_id: str, repository: str, *, limit: int, cursor: str | None) -> Page[FileResult]:
        """By path."""
        ...

    async def list_threads(self, job_id: str, repository: str, *, limit: int, cursor: str | None) -> Page[ClaudeThread]:
        """By path. A file whose answer was reused shows the conversation that the answer came from."""
        ...

    async def put_patch(self, job_id: str, repository: str, patch: RunPatch) -> None:
        """Store or replace the run's diff."""
        ...

    async def get_patch(self, job_id: str, repository: str) -> RunPatch: ...

    async def drop_patch(self, job_id: str, repository: str) -> None:
        """Forget the run's diff, if there is one: a later attempt found nothing to change."""
        ...

    async def usage(self, job_id: str, repository: str | None = None) -> UsageTotals: ...

    async def append_events(self, job_id: str, events: Sequence[EventBody]) -> None: ...

    async def read_events(self, job_id: str, *, after: int, limit: int) -> list[Event]:
        """Events with an id above `after`, in order; none that comes later will ever sort between them."""
        ...

    async def wait_for_events(self, job_id: str, *, after: int, timeout: timedelta) -> bool:
        """Return True as soon as there is an event with an id above `after`, False after `timeout`."""
        ...

    async def append_spans(self, spans: Sequence[SpanRecord]) -> None:
        """Keep finished spans; the oldest go when the store's bound (count, age) is passed."""
        ...

    async def read_trace(self, job_id: str, trace_id: str | None, *, limit: int) -> list[SpanRecord]:
        """Spans of the job's trace and every span that carries the job's id, by start time."""
        ...

    async def forget_jobs(self, job_ids: Sequence[str]) -> None:
        """Delete everything about these jobs. Outcomes stay findable by question: that is money."""
        ...

    async def list_job_ids(self, *, after: str | None, limit: int) -> list[str]:
        """Jobs that files, usage, patches or events are kept of, by id, from the first one behind `after`: the job
        itself may be gone."""
        ...

    async def forget_outcomes(self, *, unused_for: timedelta) -> int:
        """Delete known outcomes that were neither written nor used again for that long; their number.

        What a file of a remaining job shows the conversation of stays. A use within a day of the last one may go
        uncounted. Whoever asks a forgotten question again pays for it again.
        """
        ...

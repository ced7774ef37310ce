"""Results in PostgreSQL. Each kind is a file of `results/`; how calls stand being run twice is said in `job_store`."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from uuid import uuid4

from cody_backends.postgres.database import Database
from cody_backends.postgres.results import estimates, forget, look, patches, plans, reports
from cody_backends.postgres.results import events as feed
from cody_backends.postgres.results import record as recording
from cody_backends.postgres.results import spans as tracing
from cody_backends.postgres.results.record_together import RecordsTogether
from cody_backends.postgres.results.spans import SpanBounds
from cody_jobs.diff_groups import DiffFacts, diff_group
from cody_jobs.estimates import JobEstimate, RepositoryEstimate
from cody_jobs.events import Event, EventBody
from cody_jobs.models import Page
from cody_jobs.outcomes import ClaudeThread, FileRecord, FileResult, KnownOutcome, RunPatch, UsageTotals
from cody_jobs.plan import JobPlan, Plan
from cody_jobs.planning import FailedPlan, KnownPlan, PlanClaim, PlanRecord
from cody_jobs.reports import RepositoryReport, RunReport
from cody_jobs.spans import SpanRecord

_LOOK_AGAIN = timedelta(seconds=5)


class PostgresResultStore:
    """A waiting reader relies on notifications for `look_again` at most: they stop while the listening connection is
    lost."""

    def __init__(
        self, database: Database, *, span_bounds: SpanBounds | None = None, look_again: timedelta = _LOOK_AGAIN
    ) -> None:
        self._database = database
        self._look_again = look_again
        self._span_bounds = span_bounds or SpanBounds()
        self._spans_until_trim = 0
        self._files = RecordsTogether(database)

    async def ping(self) -> None:
        await self._database.ping()

    async def find_outcomes(self, questions: Sequence[str]) -> dict[str, KnownOutcome]:
        return await self._database.run_statement(partial(look.find_outcomes, questions=questions))

    async def record_file(self, record: FileRecord) -> None:
        thread = await recording.pack_thread(record.thread)
        await self._files.record(recording.Recording(record=record, thread=thread, mark=uuid4()))

    async def list_files(self, job_id: str, repository: str, *, limit: int, cursor: str | None) -> Page[FileResult]:
        return await self._database.run_statement(
            partial(look.list_files, job_id=job_id, repository=repository, limit=limit, cursor=cursor)
        )

    async def list_threads(self, job_id: str, repository: str, *, limit: int, cursor: str | None) -> Page[ClaudeThread]:
        return await self._database.run_statement(
            partial(look.list_threads, job_id=job_id, repository=repository, limit=limit, cursor=cursor)
        )

    async def put_patch(self, job_id: str, repository: str, patch: RunPatch) -> None:
        group = await asyncio.to_thread(diff_group, patch.patch)
        await self._database.run_statement(
            partial(patches.put_patch, job_id=job_id, repository=repository, patch=patch, group=group)
        )

    async def list_diffs(self, job_id: str) -> list[DiffFacts]:
        return await self._database.run_statement(partial(patches.list_diffs, job_id=job_id))

    async def get_patch(self, job_id: str, repository: str) -> RunPatch:
        return await self._database.run_statement(partial(patches.get_patch, job_id=job_id, repository=repository))

    async def drop_patch(self, job_id: str, repository: str) -> None:
        await self._database.run_statement(partial(patches.drop_patch, job_id=job_id, repository=repository))

    async def claim_plan(self, job_id: str, *, question: str, owner: str, attempt: int, lease: timedelta) -> PlanClaim:
        claim = partial(plans.claim_plan, job_id=job_id, question=question, owner=owner, attempt=attempt, lease=lease)
        return await self._database.run(claim)

    async def renew_plan_claim(self, job_id: str, *, owner: str, lease: timedelta) -> bool:
        return await self._database.run_statement(
            partial(plans.renew_plan_claim, job_id=job_id, owner=owner, lease=lease)
        )

    async def keep_plan(self, record: PlanRecord) -> JobPlan:
        thread = await recording.pack_thread(record.thread)
        return await self._database.run(partial(plans.keep_plan, record=record, thread=thread, mark=uuid4()))

    async def fail_plan(self, failed: FailedPlan) -> None:
        thread = await recording.pack_thread(failed.thread)
        await self._database.run(partial(plans.fail_plan, failed=failed, thread=thread))

    async def put_plan(self, job_id: str, plan: Plan, *, by: str) -> JobPlan:
        return await self._database.run(partial(plans.put_plan, job_id=job_id, plan=plan, by=by, mark=uuid4()))

    async def get_plan(self, job_id: str) -> JobPlan:
        return await self._database.run_statement(partial(plans.get_plan, job_id=job_id))

    async def get_plan_thread(self, job_id: str) -> ClaudeThread:
        return await self._database.run_statement(partial(plans.get_plan_thread, job_id=job_id))

    async def find_plan(self, question: str) -> KnownPlan | None:
        return await self._database.run_statement(partial(plans.find_plan, question=question))

    async def put_report(self, job_id: str, repository: str, report: RunReport) -> None:
        await self._database.run_statement(
            partial(reports.put_report, job_id=job_id, repository=repository, report=report)
        )

    async def get_report(self, job_id: str, repository: str) -> RunReport:
        return await self._database.run_statement(partial(reports.get_report, job_id=job_id, repository=repository))

    async def list_reports(self, job_id: str, *, limit: int, cursor: str | None) -> Page[RepositoryReport]:
        return await self._database.run_statement(
            partial(reports.list_reports, job_id=job_id, limit=limit, cursor=cursor)
        )

    async def find_estimates(self, job_id: str, repositories: Sequence[str]) -> dict[str, RepositoryEstimate]:
        return await self._database.run_statement(
            partial(estimates.find_estimates, job_id=job_id, repositories=repositories)
        )

    async def sum_estimates(self, job_id: str) -> JobEstimate:
        return await self._database.run_statement(partial(estimates.sum_estimates, job_id=job_id))

    async def usage(self, job_id: str, repository: str | None = None) -> UsageTotals:
        return await self._database.run_statement(partial(look.usage, job_id=job_id, repository=repository))

    async def append_events(self, job_id: str, events: Sequence[EventBody], *, key: str | None = None) -> None:
        await feed.append_events(self._database, job_id, events, key)

    async def append_missing(self, job_id: str, events: Mapping[str, EventBody]) -> None:
        await feed.append_missing(self._database, job_id, events)

    async def read_events(self, job_id: str, *, after: int, limit: int) -> list[Event]:
        return await self._database.run_statement(partial(feed.read_events, job_id=job_id, after=after, limit=limit))

    async def wait_for_events(self, job_id: str, *, after: int, timeout: timedelta) -> bool:
        look_now = partial(feed.has_events, job_id=job_id, after=after)
        clock = asyncio.get_running_loop().time
        until = clock() + timeout.total_seconds()
        async with self._database.listener(feed.EVENTS_CHANNEL, job_id) as listener:
            while not await self._database.run_statement(look_now):
                left = until - clock()
                if left <= 0:
                    return False
                await listener.wait(min(left, self._look_again.total_seconds()))
        return True

    async def append_spans(self, spans: Sequence[SpanRecord]) -> None:
        """The first call of a process trims, and then one of many."""
        if not spans:
            return
        await self._database.run_statement(partial(tracing.append_spans, spans=spans))
        self._spans_until_trim -= len(spans)
        if self._spans_until_trim <= 0:
            self._spans_until_trim = self._span_bounds.trim_every
            await self._database.run_statement(partial(tracing.trim_spans, bounds=self._span_bounds))

    async def read_trace(self, job_id: str, trace_id: str | None, *, limit: int) -> list[SpanRecord]:
        return await self._database.run_statement(
            partial(tracing.read_trace, job_id=job_id, trace_id=trace_id, limit=limit)
        )

    async def forget_jobs(self, job_ids: Sequence[str]) -> None:
        for job_id in job_ids:
            await forget.forget_job(self._database, job_id)

    async def list_job_ids(self, *, after: str | None, limit: int) -> list[str]:
        return await self._database.run_statement(partial(forget.list_job_ids, after=after, limit=limit))

    async def forget_outcomes(self, *, unused_for: timedelta) -> int:
        return await forget.forget_outcomes(self._database, unused_for)

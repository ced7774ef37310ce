"""The plan of the job, for all runs of a worker: found, waited for, or made."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta

from msgspec import Struct

from cody_jobs.errors import JobFailed
from cody_jobs.models import Failure, FailureCode, Job
from cody_jobs.plan import JobPlan, Plan, PlanSource
from cody_jobs.plan_without_asking import plan_without_asking
from cody_jobs.planning import FailedPlan, PlanRecord
from cody_jobs.ports import ResultStore
from cody_runtime import names
from cody_runtime.logs import get_logger
from cody_runtime.tasks import task_group
from cody_runtime.telemetry import get_tracer
from cody_worker.claude import Claude
from cody_worker.edit_files import WorkerStopping
from cody_worker.plan.ask_for_plan import PlanAnswer, PlanQuestion, ask_for_plan

log = get_logger(__name__)
tracer = get_tracer(__name__)

_FIRST_LOOK, _LAST_LOOK = 0.25, 5.0
_MOST_SECONDS = 3_600.0
"""Longer than Claude's limits and outages are waited out by the worker that asks."""


class PlannerTools(Struct, frozen=True, kw_only=True):
    """`owner` stands for this very process in the claim, which lasts for `lease` and is renewed three times in it."""

    claude: Claude
    results: ResultStore
    owner: str
    lease: timedelta
    stop: asyncio.Event


class JobPlanner:
    """One per worker. Nothing is asked before the first run needs the plan, and then by one worker of the job: the
    others wait, and take over when that one is gone."""

    def __init__(self, tools: PlannerTools, job: Job, *, attempt: int, model: str) -> None:
        self._tools = tools
        self._job = job
        self._attempt = attempt
        self._question = PlanQuestion(spec=job.spec, model=model)
        self._key = self._question.key
        self._turn = asyncio.Lock()
        self._plan: Plan | None = None

    @property
    def question(self) -> str:
        return self._key

    async def plan(self) -> Plan:
        """Raises `JobFailed` (`plan_failed`, or what no further question to Claude would escape) where the whole job
        has to stop, `WorkerStopping` where the worker is asked to stop before there is a plan."""
        async with self._turn:
            if self._plan is None:
                if self._tools.stop.is_set():
                    raise WorkerStopping
                with tracer.start_as_current_span(names.SPAN_PLAN):
                    self._plan = (await self._find()).plan
            return self._plan

    async def _find(self) -> JobPlan:
        given = plan_without_asking(self._job.spec)
        if given is not None:
            return await self._tools.results.keep_plan(
                PlanRecord(job_id=self._job.id, plan=given.plan, source=given.source)
            )
        wait = _FIRST_LOOK
        deadline = asyncio.get_running_loop().time() + _MOST_SECONDS
        while (found := await self._claim()) is None:
            if asyncio.get_running_loop().time() > deadline:
                message = f"another worker has not made the plan within {_MOST_SECONDS:g} s"
                raise JobFailed(FailureCode.PLAN_FAILED, message, retryable=True)
            await self._pause(wait)
            wait = min(wait * 2, _LAST_LOOK)
        return found

    async def _claim(self) -> JobPlan | None:
        """None while another worker is at it."""
        tools = self._tools
        claim = await tools.results.claim_plan(
            self._job.id, question=self._key, owner=tools.owner, attempt=self._attempt, lease=tools.lease
        )
        if claim.made is not None:
            return claim.made
        if claim.failure is not None:
            raise _as_error(claim.failure)
        return await self._make() if claim.ours else None

    async def _make(self) -> JobPlan:
        known = await self._tools.results.find_plan(self._key)
        if known is not None:
            return await self._keep(known.plan, reused_from=known.job_id)
        try:
            async with self._renewing():
                answer = await ask_for_plan(self._tools.claude, self._question)
        except BaseException:
            # Whatever ended this (a stop, a lost store), another worker need not wait for the claim to run out.
            await asyncio.shield(self._give_up(None))
            raise
        if answer.plan is not None:
            return await self._keep(answer.plan, answer=answer)
        assert answer.failure is not None
        await self._give_up(answer)
        raise _as_error(answer.failure)

    async def _keep(self, plan: Plan, *, answer: PlanAnswer | None = None, reused_from: str | None = None) -> JobPlan:
        kept = await self._tools.results.keep_plan(
            PlanRecord(
                job_id=self._job.id,
                plan=plan,
                source=PlanSource.CLAUDE,
                model=self._question.model,
                question=self._key,
                calls=answer.calls if answer else (),
                thread=answer.thread if answer else None,
                reused_from=reused_from,
            )
        )
        log.info("plan_made", reused=reused_from is not None, source=kept.source)
        return kept

    async def _give_up(self, answer: PlanAnswer | None) -> None:
        await self._tools.results.fail_plan(
            FailedPlan(
                job_id=self._job.id,
                owner=self._tools.owner,
                attempt=self._attempt,
                failure=answer.failure if answer else None,
                calls=answer.calls if answer else (),
                thread=answer.thread if answer else None,
            )
        )

    @asynccontextmanager
    async def _renewing(self) -> AsyncGenerator[None]:
        """Keep the claim meanwhile. Who loses it goes on: what it asked is paid for, and the first plan is kept."""
        async with task_group() as group:
            keeper = group.create_task(self._renew(), name="keep-plan-claim")
            yield
            keeper.cancel()

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self._tools.lease.total_seconds() / 3)
            await self._tools.results.renew_plan_claim(self._job.id, owner=self._tools.owner, lease=self._tools.lease)

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._tools.stop.wait()
        except TimeoutError:
            return
        raise WorkerStopping


def _as_error(failure: Failure) -> JobFailed:
    return JobFailed(failure.code, failure.message, retryable=failure.retryable)

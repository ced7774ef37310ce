"""Work on a shard's runs side by side, under leases, until all have ended or the worker is asked to stop."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import structlog

from cody_jobs.errors import JobFailed, LeaseLost, RunLost, Unavailable
from cody_jobs.events import JobFinished, RunFinished, RunReturned, RunStarted, key_of_end
from cody_jobs.models import (
    Failure,
    FailureCode,
    FileCounts,
    Job,
    JobStatus,
    RepositoryRun,
    RunFailed,
    RunResult,
    Shard,
)
from cody_jobs.ports.compute import EXIT_OK, EXIT_TRY_AGAIN
from cody_jobs.ports.money_store import NO_CAPS, Caps
from cody_runtime import names
from cody_runtime.logs import get_logger
from cody_runtime.tasks import task_group
from cody_runtime.telemetry import get_meter, get_tracer
from cody_worker.claude import JOB_LEVEL_CODES
from cody_worker.edit_files import WorkerStopping
from cody_worker.held_runs import HeldRuns
from cody_worker.job_tools import JobTools, Tools
from cody_worker.pilot import Pilot, repositories_to_work_on, survey_repository, tell_of_sample_end
from cody_worker.run_repository import git_limits, run_repository, scope_rules
from cody_worker.stop_job import stop_job

log = get_logger(__name__)
tracer = get_tracer(__name__)

GRACE_SECONDS = 12.0
"""After a request to stop, files in flight have that long to be answered and stored. Giving the leases back and
closing must fit into what is left of the 20 s that containers get."""


_SURVEYS_AT_ONCE = 4
_STOPS_THE_JOB = JOB_LEVEL_CODES | {FailureCode.SANDBOX_MISSING}


class ShardWork:
    def __init__(self, tools: Tools, job: Job, shard: Shard, stop: asyncio.Event) -> None:
        self._tools = tools
        self._job = job
        self._shard = shard
        self._stop = stop
        self._lease = timedelta(seconds=tools.settings.lease_seconds)
        self._running: dict[str, asyncio.Task[None]] = {}
        self._held = HeldRuns(
            tools.backends.jobs,
            job.id,
            owner=tools.owner,
            lease=self._lease,
            leave=lambda repository: self._running[repository].cancel(),
        )
        self._left_unfinished = False
        self._job_stopped = False
        self._runs = get_meter(__name__).create_counter(names.METRIC_RUNS, description="Runs by final status")
        self._shared = JobTools(tools, job, attempt=shard.attempt, stop=stop)

    @property
    def plan_question(self) -> str:
        """The key of what Claude is asked, if it has to be asked, for a plan."""
        return self._shared.planner.question

    async def run(self) -> int:
        """All runs of the shard, then its end; the worker's exit code.

        A worker that was asked to stop leaves the shard open: whoever started it sees that it went, and hands the
        unfinished runs to another one.
        """
        try:
            repositories = await self._repositories()
        except WorkerStopping:
            return EXIT_TRY_AGAIN
        except JobFailed as error:
            await self._stop_job(None, _failure(error))
            return EXIT_OK
        if repositories is None:
            return EXIT_TRY_AGAIN
        await self._work_on_all(repositories)
        await self._cancel_batches()
        if self._left_unfinished:
            return EXIT_TRY_AGAIN
        await self._end_shard()
        return EXIT_OK

    async def _repositories(self) -> Sequence[str] | None:
        """All of the shard, or those of the job's sample; None when the worker is asked to stop before."""
        if not self._job.sampling:
            return self._shard.repositories
        tools = self._tools
        rules = scope_rules(tools.settings, self._job, await self._shared.planner.plan())
        pilot = Pilot(
            jobs=tools.backends.jobs,
            results=tools.backends.results,
            survey=lambda name: survey_repository(
                name, rules, host=tools.host, git=tools.git, limits=git_limits(tools.settings)
            ),
            owner=tools.owner,
            at_once=_SURVEYS_AT_ONCE,
        )
        return await repositories_to_work_on(pilot, self._job, self._shard, self._stop)

    async def _work_on_all(self, repositories: Sequence[str]) -> None:
        if not repositories:
            return
        async with task_group() as group:
            keeper = group.create_task(self._held.keep(), name="keep-leases")
            watcher = group.create_task(self._end_in_time(), name="end-in-time")
            for repository in repositories:
                self._running[repository] = group.create_task(self._work_on(repository), name=f"run {repository}")
            await asyncio.wait(self._running.values())
            keeper.cancel()
            watcher.cancel()

    async def _work_on(self, repository: str) -> None:
        structlog.contextvars.bind_contextvars(job_id=self._job.id, repository=repository)
        if self._stop.is_set():
            self._left_unfinished = True
            return
        try:
            run = await self._claim(repository)
        except RunLost:
            await self._tell_end(await self._tools.backends.jobs.get_run(self._job.id, repository))
            return
        except LeaseLost as error:
            log.info("run_not_claimed", reason=str(error))
            return
        try:
            result = await self._result_of(run)
        except WorkerStopping:
            await self._give_back(repository)
            return
        except asyncio.CancelledError:
            await asyncio.shield(self._give_back(repository))
            raise
        if result is not None:
            await self._finish(repository, result)

    async def _claim(self, repository: str) -> RepositoryRun:
        run = await self._held.claim(repository)
        if Caps.of(self._job.spec) != NO_CAPS:
            await self._tools.backends.money.settle_recorded(self._job.id, repository, owner=self._tools.owner)
        started = RunStarted(repository=repository, attempt=run.attempt)
        await self._tools.backends.results.append_events(self._job.id, [started])
        return run

    async def _result_of(self, run: RepositoryRun) -> RunResult | None:
        """The run's result, or None when the whole job was stopped instead."""
        attributes = {names.JOB_ID: self._job.id, names.REPOSITORY: run.repository, names.ATTEMPT: run.attempt}
        with tracer.start_as_current_span(names.SPAN_RUN_REPOSITORY, attributes=attributes):
            try:
                return await run_repository(self._shared.for_runs(), self._job, run)
            except JobFailed as error:
                failure = _failure(error)
                if failure.code not in _STOPS_THE_JOB:
                    return RunFailed(failure=failure, files=FileCounts())
                await self._stop_job(run.repository, failure)
                return None
            except (WorkerStopping, Unavailable):
                raise
            except Exception as error:
                # One repository's surprise must not take the shard's other runs with it.
                log.exception("run_surprised")
                message = f"unexpected {type(error).__name__}; the worker's log has the details"
                failure = Failure(code=FailureCode.INTERNAL_ERROR, message=message, retryable=True)
                return RunFailed(failure=failure, files=FileCounts())

    async def _finish(self, repository: str, result: RunResult) -> None:
        jobs = self._tools.backends.jobs
        self._held.forget(repository)
        try:
            run = await jobs.finish_run(self._job.id, repository, owner=self._tools.owner, result=result)
        except LeaseLost as error:
            log.warning("run_was_taken", reason=str(error))
            return
        await self._tell_end(run)

    async def _tell_end(self, run: RepositoryRun) -> None:
        if run.failure is not None:
            log.error("Job processing failed", code=run.failure.code, error=run.failure.message)
        else:
            log.info("run_finished", outcome=run.outcome, reason=run.reason)
        self._runs.add(1, {names.RUN_STATUS: run.status})
        results = self._tools.backends.results
        await results.append_events(self._job.id, [RunFinished.of(run)], key=key_of_end(run))

    async def _give_back(self, repository: str) -> None:
        if repository not in self._held:
            return
        self._held.forget(repository)
        self._left_unfinished = True
        await self._tools.backends.jobs.release_run(self._job.id, repository, owner=self._tools.owner)
        returned = RunReturned(repository=repository, reason="its worker was asked to stop")
        await self._tools.backends.results.append_events(self._job.id, [returned])

    async def _stop_job(self, repository: str | None, failure: Failure) -> None:
        """The first of our runs that meets the failure stops the job; the others meet it in the same moment."""
        if self._job_stopped:
            return
        self._job_stopped = True
        self._held.forget_all()
        await stop_job(self._tools.backends, self._job.id, JobStatus.FAILED, failure)
        for other, task in self._running.items():
            if other != repository:
                task.cancel()

    async def _cancel_batches(self) -> None:
        """Of a job that was stopped: nobody will read what they would bring."""
        if self._tools.batched is None:
            return
        job = await self._tools.backends.jobs.get_job(self._job.id)
        if job.status is JobStatus.CANCELLED:
            await self._tools.batched.cancel_batches()

    async def _end_shard(self) -> None:
        jobs, results = self._tools.backends.jobs, self._tools.backends.results
        end = await jobs.end_shard(self._job.id, self._shard.attempt, self._shard.index)
        if end.job_ended_now:
            log.info("job_finished", job_id=self._job.id, status=end.job.status)
            get_meter(__name__).create_counter(names.METRIC_JOBS).add(1, {"status": end.job.status})
            finished = JobFinished(status=end.job.status, failure=end.job.failure)
            await results.append_events(self._job.id, [finished])
        await tell_of_sample_end(jobs, results, end)

    async def _end_in_time(self) -> None:
        await self._stop.wait()
        log.info("worker_stopping", runs=len(self._held))
        if self._tools.batched is not None:
            self._tools.batched.leave()
        await self._held.renew()  # nobody waits for the files in flight of a job that was cancelled
        await asyncio.sleep(GRACE_SECONDS)
        for task in self._running.values():
            task.cancel()


def _failure(error: JobFailed) -> Failure:
    return Failure(code=FailureCode(error.code), message=error.message, retryable=error.retryable)

"""The first worker of a job with a sample: look at some repositories, choose among them, give the others back.

Nothing is claimed while it looks: a pilot that dies loses no run. What was chosen is stored before anything is edited,
so whoever comes after it works on the same repositories.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

from msgspec import Struct

from cody_jobs.choose_sample import RepositoryFacts, choose_sample
from cody_jobs.errors import IllegalTransition, JobFailed, LeaseLost, Unavailable
from cody_jobs.events import ApprovalAwaited, SampleChosen
from cody_jobs.models import FailureCode, Job, SampledRepository, Shard
from cody_jobs.ports import CodeHost, JobStore, ResultStore, ShardEnd
from cody_runtime.logs import get_logger
from cody_runtime.tasks import task_group
from cody_worker.claude.claude import JOB_LEVEL_CODES
from cody_worker.git.limits import GitLimits
from cody_worker.git.repository_process import GitLauncher
from cody_worker.git.scope import Scope, ScopeRules
from cody_worker.syntax.languages import language_of

log = get_logger(__name__)

_LEASE = timedelta(minutes=1)
"""For the moment in which a run is given back."""

Survey = Callable[[str], Awaitable[RepositoryFacts]]
"""What is found out about one repository. Raises `JobFailed` for what concerns the whole job."""


class Pilot(Struct, frozen=True, kw_only=True):
    """`owner` stands for this very process in the leases; so many repositories are looked at together."""

    jobs: JobStore
    results: ResultStore
    survey: Survey
    owner: str
    at_once: int


async def repositories_to_work_on(pilot: Pilot, job: Job, shard: Shard, stop: asyncio.Event) -> tuple[str, ...] | None:
    """The shard's own repositories, of a job that is sampling: those of its sample. None when the worker was asked to
    stop before that is known. Raises `JobFailed` as `survey` does."""
    if not job.sampling:
        return shard.repositories
    sample = job.sample or await _choose(pilot, job, shard, stop)
    if sample is None:
        return None
    chosen = {one.repository for one in sample}
    await _give_back(pilot, job, [name for name in shard.repositories if name not in chosen])
    return tuple(name for name in shard.repositories if name in chosen)


async def _choose(pilot: Pilot, job: Job, shard: Shard, stop: asyncio.Event) -> tuple[SampledRepository, ...] | None:
    facts = await _survey_all(pilot, shard.repositories, stop)
    if facts is None:
        return None
    chosen = choose_sample(facts, job.spec.sample)
    try:
        stored = await pilot.jobs.record_sample(job.id, chosen)
    except IllegalTransition as error:
        log.info("sample_not_wanted", job_id=job.id, reason=str(error))
        return ()
    if stored == chosen:
        log.info("sample_chosen", job_id=job.id, surveyed=len(facts), chosen=[one.repository for one in chosen])
        await pilot.results.append_events(job.id, [SampleChosen(surveyed=len(facts), chosen=chosen)])
    return stored


async def _survey_all(pilot: Pilot, repositories: Sequence[str], stop: asyncio.Event) -> list[RepositoryFacts] | None:
    """None as soon as the worker is asked to stop."""
    places = asyncio.Semaphore(pilot.at_once)

    async def look(repository: str) -> RepositoryFacts:
        async with places:
            return await pilot.survey(repository)

    async def look_at_all() -> list[RepositoryFacts]:
        async with task_group() as group:
            looks = [group.create_task(look(name), name=f"survey {name}") for name in repositories]
        return [done.result() for done in looks]

    looking = asyncio.create_task(look_at_all(), name="survey")
    stopping = asyncio.create_task(stop.wait(), name="stop-survey")
    try:
        await asyncio.wait({looking, stopping}, return_when=asyncio.FIRST_COMPLETED)
        return looking.result() if looking.done() else None
    finally:
        looking.cancel()
        stopping.cancel()
        await asyncio.gather(looking, stopping, return_exceptions=True)


async def _give_back(pilot: Pilot, job: Job, repositories: Sequence[str]) -> None:
    """Without telling of it: for whoever watches, nothing was begun."""
    for repository in repositories:
        try:
            await pilot.jobs.claim_run(job.id, repository, owner=pilot.owner, lease=_LEASE)
        except LeaseLost as error:
            log.info("run_not_given_back", repository=repository, reason=str(error))
            continue
        await pilot.jobs.release_run(job.id, repository, owner=pilot.owner)


async def survey_repository(
    repository: str, rules: ScopeRules, *, host: CodeHost, git: GitLauncher, limits: GitLimits
) -> RepositoryFacts:
    """Check out and scope, as for a run. What keeps a repository from being worked on is a fact about it."""
    try:
        source = await host.clone_source(repository)
        async with git.open(source, limits) as target:
            await target.checkout()
            return facts_of(repository, await target.scope(rules))
    except JobFailed as error:
        if error.code in JOB_LEVEL_CODES:
            raise
        return RepositoryFacts(repository=repository, problem=error.code)
    except Unavailable:
        return RepositoryFacts(repository=repository, problem=FailureCode.CODE_HOST_UNAVAILABLE)


def facts_of(repository: str, scope: Scope) -> RepositoryFacts:
    found = Counter(language_of(candidate.path) for candidate in scope.candidates)
    languages = sorted((language for language in found if language is not None), key=lambda one: (-found[one], one))
    return RepositoryFacts(
        repository=repository,
        languages=tuple(languages),
        files=scope.counts.examined,
        bytes=sum(candidate.size for candidate in scope.candidates),
        candidates=len(scope.candidates),
        matches=sum(candidate.matches or 1 for candidate in scope.candidates),
    )


async def tell_of_sample_end(jobs: JobStore, results: ResultStore, end: ShardEnd) -> None:
    """Whoever ended the sample tells, and nobody else."""
    if not end.awaits_approval_now:
        return
    counts = (await jobs.count_runs([end.job.id]))[end.job.id]
    log.info("approval_awaited", job_id=end.job.id, queued=counts.queued)
    await results.append_events(end.job.id, [ApprovalAwaited(queued=counts.queued)])

import asyncio

import pytest

from cody_hosts.open_code_host import open_code_host
from cody_jobs.choose_sample import RepositoryFacts
from cody_jobs.errors import JobFailed
from cody_jobs.events import ApprovalAwaited, SampleChosen
from cody_jobs.identity import new_job_id
from cody_jobs.models import FailureCode, Job, JobSpec, JobStatus, JobType, NewJob, RunStatus, Shard
from cody_worker.git.limits import GitLimits
from cody_worker.git.scope import ScopeRules
from cody_worker.pilot import Pilot, Survey, repositories_to_work_on, survey_repository, tell_of_sample_end
from tests.contract.jobs import PATCH, do, sample_of
from tests.unit.cody_worker.conftest import ShardBench

NAMES = ("acme/large", "acme/small", "acme/none", "acme/other")
SIZES = {"acme/large": 900_000, "acme/small": 10, "acme/other": 1_000}


async def look(repository: str) -> RepositoryFacts:
    size = SIZES.get(repository, 0)
    return RepositoryFacts(repository=repository, languages=("go",), bytes=size, candidates=int(bool(size)), matches=1)


async def never(repository: str) -> RepositoryFacts:
    raise AssertionError(f"{repository} was looked at")


def pilot_of(bench: ShardBench, survey: Survey = look, owner: str = "worker-1") -> Pilot:
    return Pilot(jobs=bench.backends.jobs, results=bench.backends.results, survey=survey, owner=owner, at_once=2)


async def dispatched(bench: ShardBench, *, sample: int) -> tuple[Job, Shard]:
    spec = JobSpec(name="n", type=JobType.CODE_PATTERN_UPDATE, prompt="p", sample=sample)
    new = NewJob(id=new_job_id(), spec=spec, fingerprint="f", submitted_by="test", traceparent=None)
    shard = await bench.next_shard(await bench.backends.jobs.create_job(new, NAMES))
    return await bench.backends.jobs.get_job(shard.job_id), shard


async def test_a_pilot_chooses_and_gives_the_others_back(bench: ShardBench) -> None:
    job, shard = await dispatched(bench, sample=2)

    work = await repositories_to_work_on(pilot_of(bench), job, shard, bench.stop)

    assert work is not None
    assert work == ("acme/large", "acme/other")
    runs = {name: await bench.backends.jobs.get_run(job.id, name) for name in NAMES}
    assert {name for name, run in runs.items() if run.status is RunStatus.DISPATCHED} == set(work)
    assert all(run.losses == 0 and run.status is RunStatus.QUEUED for name, run in runs.items() if name not in work)
    stored = await bench.backends.jobs.get_job(job.id)
    assert {one.repository for one in stored.sample} == set(work)
    events = [event.body for event in await bench.backends.results.read_events(job.id, after=0, limit=10)]
    assert events == [SampleChosen(surveyed=4, chosen=stored.sample)]


async def test_whoever_comes_after_the_choice_looks_at_nothing(bench: ShardBench) -> None:
    job, shard = await dispatched(bench, sample=1)
    await bench.backends.jobs.record_sample(job.id, sample_of("acme/none"))

    late = await repositories_to_work_on(pilot_of(bench, owner="late"), job, shard, bench.stop)
    job = await bench.backends.jobs.get_job(job.id)
    again = await repositories_to_work_on(pilot_of(bench, never), job, shard, bench.stop)

    assert late == again == ("acme/none",)


async def test_a_pilot_that_is_asked_to_stop_chooses_nothing(bench: ShardBench) -> None:
    async def for_ever(_: str) -> RepositoryFacts:
        bench.stop.set()
        await asyncio.Event().wait()
        raise AssertionError

    job, shard = await dispatched(bench, sample=1)

    assert await repositories_to_work_on(pilot_of(bench, for_ever), job, shard, bench.stop) is None
    assert (await bench.backends.jobs.get_job(job.id)).sample == ()
    assert (await bench.backends.jobs.get_run(job.id, "acme/large")).status is RunStatus.DISPATCHED


async def test_what_concerns_the_whole_job_is_raised(bench: ShardBench) -> None:
    async def refused(_: str) -> RepositoryFacts:
        raise JobFailed(FailureCode.CLAUDE_KEY_REFUSED, "refused")

    job, shard = await dispatched(bench, sample=1)

    with pytest.raises(JobFailed, match="refused"):
        await repositories_to_work_on(pilot_of(bench, refused), job, shard, bench.stop)


async def test_a_pilot_of_a_job_that_was_stopped_has_nothing_to_do(bench: ShardBench) -> None:
    job, shard = await dispatched(bench, sample=1)
    await bench.backends.jobs.stop_job(job.id, status=JobStatus.CANCELLED, failure=None)

    assert await repositories_to_work_on(pilot_of(bench), job, shard, bench.stop) == ()


async def test_a_job_without_a_sample_is_worked_on_whole(bench: ShardBench) -> None:
    job, shard = await dispatched(bench, sample=0)

    assert await repositories_to_work_on(pilot_of(bench, never), job, shard, bench.stop) == NAMES


async def test_the_end_of_a_sample_is_told_once(bench: ShardBench) -> None:
    job, shard = await dispatched(bench, sample=1)
    jobs, results = bench.backends.jobs, bench.backends.results
    work = await repositories_to_work_on(pilot_of(bench), job, shard, bench.stop)
    assert work is not None
    await do(jobs, job.id, dict.fromkeys(work, PATCH))

    for _ in range(2):
        await tell_of_sample_end(jobs, results, await jobs.end_shard(job.id, 1, 0))

    events = [event.body for event in await results.read_events(job.id, after=0, limit=10)]
    assert [event for event in events if isinstance(event, ApprovalAwaited)] == [ApprovalAwaited(queued=3)]


async def test_a_survey_finds_languages_sizes_and_what_is_missing(bench: ShardBench) -> None:
    bench.repository("acme/web", {"a.py": b"OLD\n", "b.py": b"OLD OLD\n", "c.go": b"OLD\n", "d.go": b"new\n"})
    limits = GitLimits(memory_mb=500, seconds=20, scratch=bench.settings.scratch)
    host = open_code_host(bench.settings.host)

    async def survey(name: str) -> RepositoryFacts:
        return await survey_repository(name, ScopeRules(match="OLD"), host=host, git=bench.git, limits=limits)

    found, missing = await survey("acme/web"), await survey("acme/gone")

    assert (found.languages, found.files, found.bytes, found.candidates) == (("python", "go"), 4, 16, 3)
    assert missing == RepositoryFacts(repository="acme/gone", problem="repository_not_found")

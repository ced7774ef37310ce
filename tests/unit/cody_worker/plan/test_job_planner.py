"""A job's plan is made once, by whichever worker comes first, before any repository is edited."""

import asyncio
from datetime import timedelta

from cody_jobs.events import PlanMade
from cody_jobs.models import FailureCode, Job, JobStatus, RunOutcome, RunStatus, Shard
from cody_jobs.plan import PLAN_REPOSITORY, Plan, PlanSource, Precondition
from cody_jobs.planning import PlanClaim
from cody_jobs.ports.compute import EXIT_OK, EXIT_TRY_AGAIN
from cody_jobs.reports import RemainingLine
from cody_worker.claude import ClaudeFailed, ClaudeRequest, NoMoreAnswers, ToolUse
from tests.support.wait import wait_until
from tests.unit.cody_worker.conftest import ShardBench, edit, leave, make_plan, refuse, replace_old, usage

FILES = {"a.py": b"OLD = 1\nOLD = 2\n", "b.py": b"x = 1\n", "a.md": b"OLD\n"}
PLAN = make_plan(languages=["python"], matches=[r"^OLD\b"], remaining=[r"\bOLD\b"])


def asks_for_plan(request: ClaudeRequest) -> bool:
    return b'"make_plan"' in bytes(request.tools)


def about_files(bench: ShardBench) -> list[ClaudeRequest]:
    return [request for request in bench.claude.asked if not asks_for_plan(request)]


def answer_plan(bench: ShardBench, plan: ToolUse = PLAN) -> None:
    async def script(request: ClaudeRequest) -> ToolUse:
        return plan if asks_for_plan(request) else edit("OLD = 1", "NEW = 1")

    bench.claude.script = script


async def asked_job(bench: ShardBench, *repositories: str, per_shard: int = 100) -> tuple[Job, Shard]:
    """A job that has nothing but its prompt."""
    return await bench.dispatched(*repositories, per_shard=per_shard, include=())


async def shard(bench: ShardBench, job: Job, index: int) -> Shard:
    return await bench.backends.jobs.get_shard(job.id, 1, index)


async def test_one_call_plans_the_whole_job_and_a_repository_without_a_match_costs_none(bench: ShardBench) -> None:
    bench.repository("acme/web", FILES)
    for name in ("acme/api", "acme/docs"):
        bench.repository(name, {"b.py": b"x = 1\n", "a.md": b"OLD\n"})
    answer_plan(bench)
    job, first = await asked_job(bench, "acme/web", "acme/api", "acme/docs")
    assert await bench.work(job, first).run() == EXIT_OK
    assert (len(bench.claude.asked), len(about_files(bench))) == (2, 1)
    runs = (await bench.backends.jobs.list_runs(job.id, status=None, limit=9, cursor=None)).items
    assert [run.outcome for run in runs] == [RunOutcome.PATCH, RunOutcome.NO_CHANGES, RunOutcome.NO_CHANGES]
    assert [run.files.examined for run in runs] == [2, 1, 1]
    made = await bench.backends.results.get_plan(job.id)
    assert (made.source, made.model) == (PlanSource.CLAUDE, "claude-sonnet-5-5")
    assert made.plan.matches == (r"^OLD\b",)
    assert len((await bench.backends.results.get_plan_thread(job.id)).messages) == 3
    assert (await bench.backends.results.usage(job.id)).calls == 2
    assert (await bench.backends.results.usage(job.id, PLAN_REPOSITORY)).calls == 1


async def test_what_still_matches_afterwards_is_in_the_report_of_the_run(bench: ShardBench) -> None:
    bench.repository("acme/web", FILES)
    answer_plan(bench)
    job, first = await asked_job(bench, "acme/web")
    await bench.work(job, first).run()
    report = await bench.backends.results.get_report(job.id, "acme/web")
    assert report.remaining is not None
    assert report.remaining.lines == (RemainingLine(path="a.py", line=2, text="OLD = 2"),)
    assert report.facts is not None
    assert (report.facts.candidates, report.facts.matches, report.facts.languages) == (1, 2, {"python": 1})


async def test_a_precondition_leaves_a_repository_alone_and_its_reason_is_the_runs(bench: ShardBench) -> None:
    bench.repository("acme/web", FILES)
    plan = Plan(leave_alone=(Precondition(reason="it is frozen", paths=("a.md",)),))
    job, first = await bench.dispatched("acme/web", include=(), plan=plan)
    await bench.work(job, first).run()
    run = await bench.backends.jobs.get_run(job.id, "acme/web")
    assert (run.outcome, run.reason) == (RunOutcome.NO_CHANGES, "it is frozen")
    assert bench.claude.asked == []
    assert (await bench.backends.results.get_plan(job.id)).source is PlanSource.REQUEST


async def test_a_second_job_with_the_same_question_pays_nothing(bench: ShardBench) -> None:
    bench.repository("acme/web", FILES)
    answer_plan(bench)
    job, first = await asked_job(bench, "acme/web")
    await bench.work(job, first).run()
    second, first = await asked_job(bench, "acme/web")
    await bench.work(second, first).run()
    assert len(bench.claude.asked) == 2
    made = await bench.backends.results.get_plan(second.id)
    assert (made.source, made.reused_from) == (PlanSource.CLAUDE, job.id)
    assert (await bench.backends.results.usage(second.id)).calls == 0


async def test_other_workers_wait_for_the_one_that_asks(bench: ShardBench) -> None:
    for name in ("acme/web", "acme/api"):
        bench.repository(name, {"a.py": f"OLD = 1\n# {name}\n".encode()})
    answering = asyncio.Event()

    async def script(request: ClaudeRequest) -> ToolUse:
        if asks_for_plan(request):
            await answering.wait()
            return PLAN
        return edit("OLD", "NEW")

    bench.claude.script = script
    job, _ = await asked_job(bench, "acme/web", "acme/api", per_shard=1)
    working = [
        asyncio.create_task(bench.work(job, await shard(bench, job, index), owner=f"worker-{index}").run())
        for index in range(2)
    ]
    await wait_until(lambda: len(bench.claude.asked) == 1, "one worker asks")

    async def both_run() -> bool:
        return (await bench.backends.jobs.count_runs([job.id]))[job.id].running == 2

    await wait_until(both_run, "both workers hold their runs")
    answering.set()
    assert await asyncio.gather(*working) == [EXIT_OK, EXIT_OK]
    assert (len(bench.claude.asked), len(about_files(bench))) == (3, 2)
    events = await bench.backends.results.read_events(job.id, after=0, limit=100)
    assert [event.body.source for event in events if isinstance(event.body, PlanMade)] == [PlanSource.CLAUDE]


async def test_the_plan_of_a_worker_that_died_is_made_by_another(bench: ShardBench) -> None:
    bench.repository("acme/web", FILES)
    answer_plan(bench)
    job, first = await asked_job(bench, "acme/web")
    key = bench.work(job, first).plan_question
    lease = timedelta(seconds=0.5)
    claim = await bench.backends.results.claim_plan(job.id, question=key, owner="dead", attempt=1, lease=lease)
    assert claim == PlanClaim(ours=True)
    assert await bench.work(job, first).run() == EXIT_OK
    assert len(bench.claude.asked) == 2


async def test_a_worker_that_is_asked_to_stop_does_not_wait_for_the_plan_of_another(bench: ShardBench) -> None:
    bench.repository("acme/web", FILES)
    job, first = await asked_job(bench, "acme/web")
    work = bench.work(job, first)
    await bench.backends.results.claim_plan(
        job.id, question=work.plan_question, owner="slow", attempt=1, lease=timedelta(hours=1)
    )
    working = asyncio.create_task(work.run())

    async def claimed() -> bool:
        return (await bench.backends.jobs.get_run(job.id, "acme/web")).status is RunStatus.RUNNING

    await wait_until(claimed, "the worker holds its run")
    bench.stop.set()
    assert await working == EXIT_TRY_AGAIN
    assert bench.claude.asked == []


async def test_what_is_wrong_with_a_plan_goes_back_to_claude_at_most_twice(bench: ShardBench) -> None:
    bench.repository("acme/web", FILES)
    answer_plan(bench, make_plan(matches=["["], languages=["cobol"]))
    job, first = await asked_job(bench, "acme/web")
    await bench.work(job, first).run()
    assert len(bench.claude.asked) == 3
    told = bytes(bench.claude.asked[-1].messages[-1].content)
    assert b"there is no 'cobol'" in told
    ended = await bench.backends.jobs.get_job(job.id)
    assert ended.failure is not None
    assert (ended.status, ended.failure.code, ended.failure.retryable) == (
        JobStatus.FAILED, FailureCode.PLAN_FAILED, True,
    )  # fmt: skip
    assert (await bench.backends.jobs.get_run(job.id, "acme/web")).status is RunStatus.CANCELLED
    assert (await bench.backends.results.usage(job.id)).calls == 3


async def test_a_corrected_plan_is_taken(bench: ShardBench) -> None:
    bench.repository("acme/web", FILES)
    plans = iter([make_plan(), leave("not a plan"), PLAN])

    async def script(request: ClaudeRequest) -> ToolUse:
        return next(plans) if asks_for_plan(request) else await replace_old(request)

    bench.claude.script = script
    job, first = await asked_job(bench, "acme/web")
    await bench.work(job, first).run()
    assert b"chooses every file" in bytes(bench.claude.asked[1].messages[-1].content)
    assert b"no tool 'leave_unchanged'" in bytes(bench.claude.asked[2].messages[-1].content)
    assert (await bench.backends.results.get_plan(job.id)).plan.languages == ("python",)


async def test_a_job_that_claude_declines_to_plan_stops_with_its_words(bench: ShardBench) -> None:
    bench.repository("acme/web", FILES)
    answer_plan(bench, refuse("nobody could tell what this asks for"))
    job, first = await asked_job(bench, "acme/web")
    await bench.work(job, first).run()
    failure = (await bench.backends.jobs.get_job(job.id)).failure
    assert failure is not None
    assert (failure.code, failure.retryable) == (FailureCode.PLAN_FAILED, False)
    assert "nobody could tell what this asks for" in failure.message


async def test_a_refused_key_stops_the_job_while_it_is_planned(bench: ShardBench) -> None:
    bench.repository("acme/web", FILES)

    async def script(request: ClaudeRequest) -> ToolUse:
        raise NoMoreAnswers(FailureCode.CLAUDE_KEY_REFUSED, "the key was refused")

    bench.claude.script = script
    job, first = await asked_job(bench, "acme/web")
    await bench.work(job, first).run()
    failure = (await bench.backends.jobs.get_job(job.id)).failure
    assert failure is not None
    assert failure.code is FailureCode.CLAUDE_KEY_REFUSED
    again = await bench.backends.results.claim_plan(
        job.id, question="q", owner="next", attempt=2, lease=timedelta(hours=1)
    )
    assert again == PlanClaim(ours=True)


async def test_calls_for_a_plan_that_came_to_nothing_stay_counted(bench: ShardBench) -> None:
    bench.repository("acme/web", FILES)

    async def script(request: ClaudeRequest) -> ToolUse:
        raise ClaudeFailed(FailureCode.CLAUDE_BAD_REQUEST, "too long", calls=(usage(),))

    bench.claude.script = script
    job, first = await asked_job(bench, "acme/web")
    await bench.work(job, first).run()
    failure = (await bench.backends.jobs.get_job(job.id)).failure
    assert failure is not None
    assert failure.code is FailureCode.PLAN_FAILED
    assert (await bench.backends.results.usage(job.id)).cost_microusd == 7

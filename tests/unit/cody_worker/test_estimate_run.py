"""A dry run tells what a job would ask and what that would cost; it asks for nothing but the plan, and edits none."""

from typing import Any

import msgspec
import pytest
from msgspec import Struct
from msgspec.structs import replace

from cody_jobs.errors import ResultNotFound
from cody_jobs.estimates import RepositoryEstimate
from cody_jobs.models import Job, JobStatus, RepositoryRun, RunCounts, RunOutcome
from cody_jobs.plan import Extent, Plan
from cody_jobs.steps import CodemodStep, EditStep, Judge, Lane, VerifyStep
from cody_worker.claude import ClaudeRequest, ToolUse
from cody_worker.money.prompt_size import prompt_bytes
from tests.support.repositories import run_git
from tests.unit.cody_worker.conftest import ScriptedClaude, ShardBench, make_plan

WEB = {"a.txt": b"one OLD\n", "b.txt": b"two OLD\nand OLD\n", "notes.md": b"nothing of it\n"}
PLAN = Plan(matches=("OLD",), change="OLD becomes NEW", extent=Extent.MATCHES)


class Estimated(Struct, frozen=True, kw_only=True):
    job: Job
    run: RepositoryRun
    estimate: RepositoryEstimate


async def dry_run(bench: ShardBench, repository: str = "acme/web", **fields: Any) -> Estimated:
    job, shard = await bench.dispatched(repository, dry_run=True, **fields)
    await bench.work(job, shard).run()
    run = await bench.backends.jobs.get_run(job.id, repository)
    report = await bench.backends.results.get_report(job.id, repository)
    assert report.estimate is not None, run
    return Estimated(job=await bench.backends.jobs.get_job(job.id), run=run, estimate=report.estimate)


async def test_what_would_be_asked_is_told_and_nothing_is(bench: ShardBench) -> None:
    bench.repository("acme/web", WEB)
    found = await dry_run(bench, plan=PLAN)
    assert bench.claude.asked == []
    assert (found.job.status, found.run.outcome) == (JobStatus.SUCCEEDED, RunOutcome.ESTIMATED)
    estimate = found.estimate
    assert (estimate.candidates, estimate.matches, estimate.known, estimate.counted) == (2, 3, 0, False)
    assert (estimate.calls.low, estimate.calls.expected) == (1, 1)  # both are small enough for one request
    assert 0 < estimate.cost_microusd.low < estimate.cost_microusd.expected < estimate.cost_microusd.high
    assert found.run.reason is not None
    assert found.run.reason.startswith("would ask about 2 of 3 files in 1 request, about $0.0")
    with pytest.raises(ResultNotFound):
        await bench.backends.results.get_patch(found.job.id, "acme/web")
    counts = (await bench.backends.jobs.count_runs([found.job.id]))[found.job.id]
    assert counts == RunCounts(succeeded=1, estimated=1)


async def test_the_plan_is_asked_for_once_and_serves_the_real_job_too(bench: ShardBench) -> None:
    bench.repository("acme/web", {"a.txt": b"one OLD\n", "b.txt": b"two OLD\n", "notes.md": b"nothing of it\n"})
    edits = bench.claude.script

    async def plan_first(request: ClaudeRequest) -> ToolUse:
        return make_plan(matches=["OLD"]) if b"make_plan" in bytes(request.tools) else await edits(request)

    bench.claude.script = plan_first
    found = await dry_run(bench, include=())
    assert (len(bench.claude.asked), found.estimate.candidates) == (1, 2)
    job, shard = await bench.dispatched("acme/web", include=())
    await bench.work(job, shard).run()
    run = await bench.backends.jobs.get_run(job.id, "acme/web")
    assert (run.outcome, run.files.edited) == (RunOutcome.PATCH, 2)
    assert len(bench.claude.asked) == 1 + 2


async def test_the_requests_that_are_counted_are_those_that_the_real_job_sends(bench: ShardBench) -> None:
    bench.repository("acme/web", {**WEB, "CONTRIBUTING.md": b"Be brief.\n"})
    claude = CountingClaude(tokens_per_byte=0.5)
    bench = replace(bench, claude=claude)
    await dry_run(bench, plan=PLAN)
    job, shard = await bench.dispatched("acme/web", plan=PLAN)
    await bench.work(job, shard).run()
    (counted,), asked = claude.counted, claude.asked[0]
    assert msgspec.json.encode(counted.messages) == msgspec.json.encode(asked.messages)
    assert (bytes(counted.tools), counted.model) == (bytes(asked.tools), asked.model)


async def test_answers_that_are_known_cost_nothing(bench: ShardBench) -> None:
    folder = bench.repository("acme/web", {"a.txt": b"one OLD\n"})
    job, shard = await bench.dispatched("acme/web", plan=PLAN)
    await bench.work(job, shard).run()
    asked = len(bench.claude.asked)
    (folder / "b.txt").write_bytes(b"two OLD\n")
    run_git(folder, "add", "--all")
    run_git(folder, "commit", "--quiet", "--message=more")
    found = await dry_run(bench, plan=PLAN)
    assert (found.estimate.candidates, found.estimate.known, found.run.files.reused) == (1, 1, 1)
    assert len(bench.claude.asked) == asked
    assert found.run.reason is not None
    assert found.run.reason.endswith("; 1 answer is known")


async def test_the_same_file_in_two_repositories_is_paid_for_once(bench: ShardBench) -> None:
    for name in ("acme/one", "acme/two"):
        bench.repository(name, {"a.txt": b"one OLD\n"})
    job, shard = await bench.dispatched("acme/one", "acme/two", plan=PLAN, dry_run=True)
    await bench.work(job, shard).run()
    total = await bench.backends.results.sum_estimates(job.id)
    assert (total.repositories, total.candidates, total.known, total.calls.low) == (2, 1, 1, 1)


async def test_what_the_api_counts_makes_the_estimate(bench: ShardBench) -> None:
    files = {f"{number}.txt": b"OLD\n" * 3_000 for number in range(5)}
    bench.repository("acme/web", files)
    few = await dry_run(replace(bench, claude=CountingClaude(tokens_per_byte=0.1)), plan=PLAN)
    counting = CountingClaude(tokens_per_byte=0.5)
    many = await dry_run(replace(bench, claude=counting), plan=PLAN)
    assert (few.estimate.counted, many.estimate.counted) == (True, True)
    assert many.estimate.input_tokens.expected > 4 * few.estimate.input_tokens.expected
    assert len(counting.counted) == 3


async def test_where_nothing_can_be_counted_it_is_tried_once(bench: ShardBench) -> None:
    bench.repository("acme/web", {f"{number}.txt": b"OLD\n" * 3_000 for number in range(5)})
    counting = CountingClaude(tokens_per_byte=None)
    found = await dry_run(replace(bench, claude=counting), plan=PLAN)
    assert (found.estimate.counted, len(counting.counted)) == (False, 1)


async def test_a_repository_without_a_match_ends_as_in_a_real_run(bench: ShardBench) -> None:
    bench.repository("acme/web", {"a.txt": b"nothing\n"})
    job, shard = await bench.dispatched("acme/web", plan=PLAN, dry_run=True)
    await bench.work(job, shard).run()
    run = await bench.backends.jobs.get_run(job.id, "acme/web")
    assert (run.outcome, run.reason) == (RunOutcome.NO_CHANGES, "no candidate among 1 files")
    assert await bench.backends.results.find_estimates(job.id, ["acme/web"]) == {}


async def test_commands_are_not_run_and_the_estimate_says_so(bench: ShardBench) -> None:
    bench.repository("acme/web", WEB)
    false = ("false",)
    found = await dry_run(
        bench, plan=PLAN, steps=(CodemodStep(argv=false), EditStep(), VerifyStep(argv=false)), include=("*",)
    )
    assert found.run.outcome is RunOutcome.ESTIMATED
    assert [note.split(" not run")[0] for note in found.estimate.notes] == [
        "the codemods were",
        "the verify commands were",
    ]


async def test_a_job_that_asks_claude_about_nothing_costs_nothing(bench: ShardBench) -> None:
    bench.repository("acme/web", WEB)
    found = await dry_run(bench, steps=(CodemodStep(argv=("false",)),))
    assert (found.estimate.calls.high, found.estimate.cost_microusd.high) == (0, 0)
    assert found.run.reason is not None
    assert found.run.reason.startswith("would ask about none of 3 files: $0; the codemods were not run")
    assert bench.claude.asked == []


async def test_the_economy_lane_costs_half_and_a_judge_a_call_more(bench: ShardBench) -> None:
    bench.repository("acme/web", WEB)
    plain = (await dry_run(bench, plan=PLAN)).estimate
    economy = (await dry_run(bench, plan=PLAN, lane=Lane.ECONOMY)).estimate
    judged = (await dry_run(bench, plan=PLAN, judge=Judge.DECIDES)).estimate
    assert economy.cost_microusd.expected < 0.7 * plain.cost_microusd.expected
    assert judged.calls.expected == plain.calls.expected + 1
    assert judged.cost_microusd.expected > plain.cost_microusd.expected


async def test_a_worker_that_is_asked_to_stop_gives_its_dry_run_back(bench: ShardBench) -> None:
    bench.repository("acme/web", WEB)
    job, shard = await bench.dispatched("acme/web", plan=PLAN, dry_run=True)
    bench.stop.set()
    await bench.work(job, shard).run()
    assert (await bench.backends.jobs.get_run(job.id, "acme/web")).outcome is None


class CountingClaude(ScriptedClaude):
    """Can also count tokens."""

    def __init__(self, *, tokens_per_byte: float | None) -> None:
        super().__init__()
        self._tokens_per_byte = tokens_per_byte
        self.counted: list[ClaudeRequest] = []

    async def count_tokens(self, request: ClaudeRequest) -> int | None:
        self.counted.append(request)
        return None if self._tokens_per_byte is None else round(prompt_bytes(request) * self._tokens_per_byte)

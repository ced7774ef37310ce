import asyncio
from datetime import timedelta

import pytest

from cody_jobs.errors import Unavailable
from cody_jobs.events import JobFinished, RunFinished, RunReturned
from cody_jobs.messages import JOBS_QUEUE, JobStopped, decode_message
from cody_jobs.models import FailureCode, Job, JobStatus, RunOutcome, RunStatus, Shard
from cody_jobs.outcomes import LeftAlone
from cody_jobs.ports.compute import EXIT_OK, EXIT_TRY_AGAIN
from cody_worker.claude import ClaudeFailed, ClaudeRequest, NoMoreAnswers, ToolUse
from cody_worker.run_result import NO_PUBLISHER
from cody_worker.run_shard import GRACE_SECONDS
from tests.support.repositories import run_git
from tests.support.wait import wait_until
from tests.unit.cody_worker.conftest import ShardBench, edit, leave, usage


async def test_a_shard_ends_with_a_patch_per_repository_and_the_job_with_it(bench: ShardBench) -> None:
    folders = {name: bench.repository(name, {"a.txt": b"an OLD thing\n"}) for name in ("acme/web", "acme/api")}
    job, shard = await bench.dispatched(*folders)
    assert await bench.work(job, shard).run() == EXIT_OK
    assert (await bench.backends.jobs.get_job(job.id)).status is JobStatus.SUCCEEDED
    for name, folder in folders.items():
        run = await bench.backends.jobs.get_run(job.id, name)
        assert (run.status, run.outcome, run.files.edited) == (RunStatus.SUCCEEDED, RunOutcome.PATCH, 1)
        patch = await bench.backends.results.get_patch(job.id, name)
        assert patch.branch == f"cody/{job.id}"
        run_git(folder, "apply", "--index", stdin=patch.patch)
        assert (folder / "a.txt").read_bytes() == b"an NEW thing\n"


async def test_the_last_event_says_how_the_job_ended(bench: ShardBench) -> None:
    bench.repository("acme/web", {"a.txt": b"OLD\n"})
    job, shard = await bench.dispatched("acme/web")
    await bench.work(job, shard).run()
    events = await bench.backends.results.read_events(job.id, after=0, limit=100)
    assert [type(event.body).__name__ for event in events] == [
        "RunStarted",
        "PlanMade",
        "FilesChosen",
        "FileDone",
        "RunFinished",
        "JobFinished",
    ]
    assert events[-1].body == JobFinished(status=JobStatus.SUCCEEDED, failure=None)


async def test_files_left_alone_are_no_changes_with_the_reason(bench: ShardBench) -> None:
    bench.repository("acme/web", {"a.txt": b"fine\n", "b.txt": b"fine, too\n"})
    job, shard = await bench.dispatched("acme/web")
    await bench.work(job, shard).run()
    run = await bench.backends.jobs.get_run(job.id, "acme/web")
    assert (run.outcome, run.files.unchanged) == (RunOutcome.NO_CHANGES, 2)
    assert run.reason == "Claude left all 2 candidate files unchanged: nothing is OLD here"


async def test_a_repository_without_candidates_costs_nothing_and_says_why(bench: ShardBench) -> None:
    bench.repository("acme/web", {"logo.png": b"\x89PNG\x00\x00"})
    job, shard = await bench.dispatched("acme/web")
    await bench.work(job, shard).run()
    run = await bench.backends.jobs.get_run(job.id, "acme/web")
    assert run.outcome is RunOutcome.NO_CHANGES
    assert run.reason == "no candidate among 1 files (skipped: 1 binary)"
    assert bench.claude.asked == []


async def test_where_a_pull_request_was_wanted_the_run_says_why_there_is_none(bench: ShardBench) -> None:
    bench.repository("acme/web", {"a.txt": b"OLD\n"})
    job, shard = await bench.dispatched("acme/web", pull_requests=True)
    await bench.work(job, shard).run()
    run = await bench.backends.jobs.get_run(job.id, "acme/web")
    assert (run.outcome, run.reason) == (RunOutcome.PATCH, NO_PUBLISHER)


async def test_a_failed_file_fails_its_run_but_the_diff_holds_the_others(bench: ShardBench) -> None:
    bench.repository("acme/web", {"a.txt": b"OLD\n", "b.txt": b"fails\n"})

    async def script(request: ClaudeRequest) -> ToolUse:
        if b"fails" in bytes(request.messages[-1].content):
            raise ClaudeFailed(FailureCode.CLAUDE_BAD_REQUEST, "will not", calls=(usage(),))
        return edit("OLD", "NEW")

    bench.claude.script = script
    job, shard = await bench.dispatched("acme/web")
    await bench.work(job, shard).run()
    run = await bench.backends.jobs.get_run(job.id, "acme/web")
    assert run.failure is not None
    assert (run.status, run.failure.code) == (RunStatus.FAILED, FailureCode.FILES_FAILED)
    assert "1 of 2 candidate files failed: claude_bad_request 1 (b.txt)" in run.failure.message
    assert (await bench.backends.results.get_patch(job.id, "acme/web")).files_changed == 1
    assert (await bench.backends.results.usage(job.id)).calls == 2


async def test_one_bad_repository_leaves_the_others_unharmed(bench: ShardBench) -> None:
    bench.repository("acme/web", {"a.txt": b"OLD\n"})
    run_git(bench.root, "init", "--quiet", "acme/empty")
    job, shard = await bench.dispatched("acme/gone", "acme/empty", "acme/web")
    assert await bench.work(job, shard).run() == EXIT_OK
    runs = {run.repository: run for run in (await _runs(bench, job.id))}
    failures = {name: run.failure.code for name, run in runs.items() if run.failure}
    assert failures == {
        "acme/gone": FailureCode.REPOSITORY_NOT_FOUND,
        "acme/empty": FailureCode.REPOSITORY_EMPTY,
    }
    assert runs["acme/web"].outcome is RunOutcome.PATCH
    assert (await bench.backends.jobs.get_job(job.id)).status is JobStatus.PARTIALLY_SUCCEEDED


async def test_a_run_that_was_lost_too_often_ends_with_an_event_and_the_job_with_it(bench: ShardBench) -> None:
    bench.repository("acme/web", {"a.txt": b"OLD\n"})
    job, shard = await bench.dispatched("acme/web")
    for number in range(3):
        await bench.backends.jobs.claim_run(job.id, "acme/web", owner=f"gone {number}", lease=timedelta(0))

    assert await bench.work(job, shard).run() == EXIT_OK

    run_finished, job_finished = [
        event.body for event in await bench.backends.results.read_events(job.id, after=0, limit=100)
    ]
    assert isinstance(run_finished, RunFinished)
    assert run_finished.failure is not None
    assert (run_finished.repository, run_finished.failure.code) == ("acme/web", FailureCode.WORKER_LOST)
    assert job_finished == JobFinished(status=JobStatus.FAILED, failure=run_finished.failure)


async def test_a_surprise_fails_its_run_alone(bench: ShardBench) -> None:
    bench.repository("acme/web", {"a.txt": b"OLD\n"})
    bench.repository("acme/odd", {"a.txt": b"odd\n"})

    async def script(request: ClaudeRequest) -> ToolUse:
        if b"odd" in bytes(request.messages[-1].content):
            raise ZeroDivisionError
        return edit("OLD", "NEW")

    bench.claude.script = script
    job, shard = await bench.dispatched("acme/web", "acme/odd")
    await bench.work(job, shard).run()
    runs = {run.repository: run for run in (await _runs(bench, job.id))}
    assert runs["acme/web"].status is RunStatus.SUCCEEDED
    assert runs["acme/odd"].failure is not None
    assert runs["acme/odd"].failure.code is FailureCode.INTERNAL_ERROR
    assert "ZeroDivisionError" in runs["acme/odd"].failure.message


async def test_a_refused_key_stops_the_job_with_one_error(bench: ShardBench) -> None:
    names = [f"acme/r{number}" for number in range(4)]
    for name in names:
        bench.repository(name, {f"{number}.txt": f"OLD {name} {number}\n".encode() for number in range(10)})
    all_ask = asyncio.Event()

    async def script(request: ClaudeRequest) -> ToolUse:
        if len(bench.claude.asked) == bench.settings.files_at_once:
            all_ask.set()
        await all_ask.wait()
        raise NoMoreAnswers(FailureCode.CLAUDE_KEY_REFUSED, "the key was refused")

    bench.claude.script = script
    job, shard = await bench.dispatched(*names)
    await bench.work(job, shard).run()
    ended = await bench.backends.jobs.get_job(job.id)
    assert ended.failure is not None
    assert (ended.status, ended.failure.code) == (JobStatus.FAILED, FailureCode.CLAUDE_KEY_REFUSED)
    assert {run.status for run in await _runs(bench, job.id)} == {RunStatus.CANCELLED}
    assert len(bench.claude.asked) == bench.settings.files_at_once
    events = await bench.backends.results.read_events(job.id, after=0, limit=100)
    assert [event.body for event in events if isinstance(event.body, JobFinished | RunFinished)] == [
        JobFinished(status=JobStatus.FAILED, failure=ended.failure)
    ]
    told = await bench.backends.queue.receive(JOBS_QUEUE, limit=10, wait=timedelta(0), visibility=timedelta(seconds=30))
    assert [decode_message(message.body) for message in told] == [JobStopped(job_id=job.id)]


async def test_a_cap_that_is_too_small_for_the_plan_fails_every_run_and_costs_nothing(bench: ShardBench) -> None:
    names = ["acme/api", "acme/web"]
    for name in names:
        bench.repository(name, {"a.txt": b"an OLD thing\n"})
    job, shard = await bench.dispatched(*names, include=(), max_cost_microusd=1)
    await bench.work(job, shard).run()
    assert (await bench.backends.jobs.get_job(job.id)).status is JobStatus.FAILED
    failures = [run.failure for run in await _runs(bench, job.id)]
    assert [failure.code for failure in failures if failure] == [FailureCode.COST_CAP_REACHED] * len(names)
    assert bench.claude.asked == []


async def test_the_worker_of_a_cancelled_job_does_not_wait_for_answers(bench: ShardBench) -> None:
    bench.repository("acme/web", {"a.txt": b"OLD\n"})

    bench.claude.script = never_answer
    job, shard = await bench.dispatched("acme/web")
    working = asyncio.create_task(bench.work(job, shard).run())
    await wait_until(lambda: len(bench.claude.asked) == 1, "the file is in flight")
    await bench.backends.jobs.stop_job(job.id, status=JobStatus.CANCELLED, failure=None)
    bench.stop.set()
    await asyncio.wait_for(working, timeout=GRACE_SECONDS / 2)


async def test_a_second_job_with_the_same_question_asks_nothing(bench: ShardBench) -> None:
    bench.repository("acme/web", {"a.txt": b"OLD\n", "b.txt": b"fine\n"})
    first, shard = await bench.dispatched("acme/web")
    await bench.work(first, shard).run()
    second, shard = await bench.dispatched("acme/web")
    await bench.work(second, shard).run()
    assert len(bench.claude.asked) == 2
    run = await bench.backends.jobs.get_run(second.id, "acme/web")
    assert (run.files.reused, run.files.edited, run.files.unchanged) == (2, 1, 1)
    before, after = [await bench.backends.results.get_patch(job.id, "acme/web") for job in (first, second)]
    assert before.patch == after.patch


async def test_two_repositories_with_the_same_file_ask_once(bench: ShardBench) -> None:
    bench.repository("acme/web", {"a.txt": b"OLD\n"})
    bench.repository("acme/api", {"a.txt": b"OLD\n"})
    both_wait = asyncio.Event()

    async def script(request: ClaudeRequest) -> ToolUse:
        await both_wait.wait()
        return edit("OLD", "NEW")

    bench.claude.script = script
    job, shard = await bench.dispatched("acme/web", "acme/api")
    working = asyncio.create_task(bench.work(job, shard).run())
    await wait_until(lambda: _chosen(bench, job.id, 2), "both repositories are being worked on")
    both_wait.set()
    assert await working == EXIT_OK
    assert len(bench.claude.asked) == 1
    assert {run.outcome for run in await _runs(bench, job.id)} == {RunOutcome.PATCH}


async def test_a_worker_that_is_asked_to_stop_stores_what_is_in_flight_and_gives_the_run_back(
    bench: ShardBench,
) -> None:
    job, _ = await stopped_with_four_files_in_flight(bench)
    run = await bench.backends.jobs.get_run(job.id, "acme/web")
    assert (run.status, run.losses) == (RunStatus.QUEUED, 0)
    files = await bench.backends.results.list_files(job.id, "acme/web", limit=100, cursor=None)
    assert [file.outcome for file in files.items] == [LeftAlone(reason="fine")] * 4
    events = await bench.backends.results.read_events(job.id, after=0, limit=100)
    assert isinstance(events[-1].body, RunReturned)


async def test_the_next_worker_asks_only_about_the_files_that_are_not_known(bench: ShardBench) -> None:
    job, shard = await stopped_with_four_files_in_flight(bench)
    bench.stop.clear()
    await bench.backends.jobs.recover_shard(job.id, shard.attempt, shard.index, failure=None)
    assert await bench.work(job, await bench.next_shard(job), owner="worker-2").run() == EXIT_OK
    assert len(bench.claude.asked) == 20
    assert (await bench.backends.jobs.get_job(job.id)).status is JobStatus.SUCCEEDED


async def test_a_run_that_was_stopped_from_outside_is_left_at_once(bench: ShardBench) -> None:
    bench.repository("acme/web", {"a.txt": b"OLD\n"})

    bench.claude.script = never_answer
    job, shard = await bench.dispatched("acme/web")
    working = asyncio.create_task(bench.work(job, shard).run())
    await wait_until(lambda: len(bench.claude.asked) == 1, "the file is in flight")
    await bench.backends.jobs.stop_job(job.id, status=JobStatus.CANCELLED, failure=None)
    assert await asyncio.wait_for(working, timeout=20) == EXIT_OK
    run = await bench.backends.jobs.get_run(job.id, "acme/web")
    assert run.status is RunStatus.CANCELLED


async def test_a_lease_is_renewed_while_the_work_goes_on(bench: ShardBench) -> None:
    bench.repository("acme/web", {"a.txt": b"OLD\n"})
    answering = asyncio.Event()

    async def script(request: ClaudeRequest) -> ToolUse:
        await answering.wait()
        return edit("OLD", "NEW")

    bench.claude.script = script
    job, shard = await bench.dispatched("acme/web")
    working = asyncio.create_task(bench.work(job, shard).run())
    await wait_until(lambda: len(bench.claude.asked) == 1, "the file is in flight")
    claimed = await bench.backends.jobs.get_run(job.id, "acme/web")
    assert claimed.lease_expires_at is not None
    first = claimed.lease_expires_at

    async def renewed() -> bool:
        lease = (await bench.backends.jobs.get_run(job.id, "acme/web")).lease_expires_at
        return lease is not None and lease > first + timedelta(seconds=1)

    await wait_until(renewed, "the lease was renewed")
    answering.set()
    assert await working == EXIT_OK


async def test_a_run_that_somebody_else_holds_is_not_touched(bench: ShardBench) -> None:
    bench.repository("acme/web", {"a.txt": b"OLD\n"})
    job, shard = await bench.dispatched("acme/web")
    await bench.backends.jobs.claim_run(job.id, "acme/web", owner="somebody", lease=timedelta(minutes=5))
    assert await bench.work(job, shard).run() == EXIT_OK
    run = await bench.backends.jobs.get_run(job.id, "acme/web")
    assert (run.status, run.lease_owner) == (RunStatus.RUNNING, "somebody")
    assert bench.claude.asked == []


async def test_a_store_that_stays_away_ends_the_worker_with_its_own_error(bench: ShardBench) -> None:
    bench.repository("acme/web", {"a.txt": b"OLD\n"})

    async def script(request: ClaudeRequest) -> ToolUse:
        raise Unavailable("PostgreSQL", "gone")

    bench.claude.script = script
    job, shard = await bench.dispatched("acme/web")
    with pytest.raises(Unavailable):
        await bench.work(job, shard).run()


async def never_answer(request: ClaudeRequest) -> ToolUse:
    await asyncio.Event().wait()
    raise AssertionError("never answered")


async def stopped_with_four_files_in_flight(bench: ShardBench) -> tuple[Job, Shard]:
    """Of twenty files, four were asked about when the worker was asked to stop, and answered after that."""
    bench.repository("acme/web", {f"{number}.txt": b"fine %d\n" % number for number in range(20)})
    answering = asyncio.Event()

    async def script(request: ClaudeRequest) -> ToolUse:
        await answering.wait()
        return leave("fine")

    bench.claude.script = script
    job, shard = await bench.dispatched("acme/web")
    working = asyncio.create_task(bench.work(job, shard).run())
    await wait_until(lambda: len(bench.claude.asked) == 4, "four files are in flight")
    bench.stop.set()
    answering.set()
    assert await working == EXIT_TRY_AGAIN
    return job, shard


async def _runs(bench: ShardBench, job_id: str):
    return (await bench.backends.jobs.list_runs(job_id, status=None, limit=100, cursor=None)).items


async def _chosen(bench: ShardBench, job_id: str, number: int) -> bool:
    events = await bench.backends.results.read_events(job_id, after=0, limit=100)
    return sum(type(event.body).__name__ == "FilesChosen" for event in events) == number

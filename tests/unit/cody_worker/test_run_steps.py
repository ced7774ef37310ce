"""A repository's way through the steps of a job: codemods, the edit, verify commands, the judge."""

import shutil
import sys
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from msgspec import Raw

from cody_jobs.models import FailureCode, Job, JobStatus, RepositoryRun, RunOutcome, RunStatus
from cody_jobs.reports import RunReport
from cody_jobs.steps import CodemodStep, EditStep, Judge, Step, VerifyStep
from cody_worker.claude import ClaudeRequest, ToolUse
from tests.unit.cody_worker.conftest import ShardBench, edit, leave, replace_old

PYTHON = sys.executable
NO_OLD_LEFT = (
    PYTHON,
    "-c",
    "import sys; text = open('a.txt').read(); sys.exit(f'a.txt:1: OLD is left' if 'OLD' in text else 0)",
)
RENAME = (PYTHON, "-c", "import os; os.rename('a.txt', 'b.txt')")
UPPER = (PYTHON, "-c", "text = open('a.txt').read(); open('a.txt', 'w').write(text.upper())")

pytestmark = pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")


def verdict(*, meets: bool) -> ToolUse:
    given: dict[str, object] = {"meets": meets, "reason": "It is so.", "doubts": []}
    return ToolUse(id="toolu_1", name="give_verdict", input=Raw(msgspec.json.encode(given)))


async def run(
    bench: ShardBench, steps: Sequence[Step], *, content: bytes = b"an OLD thing\n", **spec: Any
) -> tuple[RepositoryRun, RunReport]:
    bench.repository("acme/web", {"a.txt": content})
    job, shard = await bench.dispatched("acme/web", steps=tuple(steps), **spec)
    await bench.work(job, shard).run()
    return await ended(bench, job)


async def ended(bench: ShardBench, job: Job) -> tuple[RepositoryRun, RunReport]:
    report = await bench.backends.results.get_report(job.id, "acme/web")
    return await bench.backends.jobs.get_run(job.id, "acme/web"), report


async def diff(bench: ShardBench, run: RepositoryRun) -> str:
    return (await bench.backends.results.get_patch(run.job_id, "acme/web")).patch.decode()


async def test_a_codemod_alone_makes_the_patch_and_claude_is_not_asked(bench: ShardBench) -> None:
    found, report = await run(bench, [CodemodStep(argv=UPPER)], include=())
    assert (found.status, found.outcome) == (RunStatus.SUCCEEDED, RunOutcome.PATCH)
    assert "+AN OLD THING" in await diff(bench, found)
    assert [check.exit_code for check in report.checks] == [0]
    assert bench.claude.asked == []


async def test_a_codemod_that_changes_nothing_says_so(bench: ShardBench) -> None:
    found, _ = await run(bench, [CodemodStep(argv=("true",))])
    assert (found.outcome, found.reason) == (RunOutcome.NO_CHANGES, "the codemods changed nothing")


async def test_claude_edits_what_the_codemods_left(bench: ShardBench) -> None:
    found, _ = await run(bench, [CodemodStep(argv=RENAME), EditStep()])
    assert found.outcome is RunOutcome.PATCH
    patch = await diff(bench, found)
    assert ("rename to b.txt" in patch or "+++ b/b.txt" in patch, "+an NEW thing" in patch) == (True, True)


async def test_a_codemod_that_fails_fails_the_run_with_its_words(bench: ShardBench) -> None:
    wrong = (PYTHON, "-c", "import sys; sys.exit('error: no such pattern')")
    found, report = await run(bench, [CodemodStep(argv=wrong), EditStep()])
    assert found.failure is not None
    assert found.failure.code == FailureCode.CODEMOD_FAILED
    assert "no such pattern" in found.failure.message
    assert "no such pattern" in report.checks[0].output
    assert bench.claude.asked == []


async def test_a_codemod_may_not_change_what_is_protected(bench: ShardBench) -> None:
    workflow = "import os; os.makedirs('.github/workflows'); open('.github/workflows/ci.yml', 'w').write('on: push')"
    steps = [CodemodStep(argv=(PYTHON, "-c", workflow))]
    found, _ = await run(bench, steps)
    assert found.failure is not None
    assert (found.failure.code, "ci.yml" in found.failure.message) == (FailureCode.GUARD_HIT, True)


async def test_a_protected_path_can_be_granted(bench: ShardBench) -> None:
    workflow = "import os; os.makedirs('.github/workflows'); open('.github/workflows/ci.yml', 'w').write('on: push')"
    found, _ = await run(bench, [CodemodStep(argv=(PYTHON, "-c", workflow))], allow_paths=(".github/workflows/*.yml",))
    assert found.outcome is RunOutcome.PATCH


async def test_what_passes_is_green_with_its_checks(bench: ShardBench) -> None:
    found, report = await run(bench, [EditStep(), VerifyStep(argv=NO_OLD_LEFT)])
    assert found.outcome is RunOutcome.PATCH
    assert [(check.on_base, check.exit_code) for check in report.checks] == [(True, 1), (False, 0)]
    assert len(bench.claude.asked) == 1


async def test_what_a_check_finds_goes_back_to_claude_for_the_file_that_it_names(bench: ShardBench) -> None:
    async def half_then_all(request: ClaudeRequest) -> ToolUse:
        return (
            edit("NEW OLD", "NEW NEW")
            if "BAD is left" in bytes(request.messages[-1].content).decode()
            else edit("OLD BAD", "NEW OLD")
        )

    bench.claude.script = half_then_all
    check = (
        PYTHON,
        "-c",
        "import sys; text = open('a.txt').read(); sys.exit('a.txt:1: BAD is left' if 'NEW OLD' in text else 0)",
    )
    found, report = await run(bench, [EditStep(), VerifyStep(argv=check)], content=b"OLD BAD\n")
    assert found.outcome is RunOutcome.PATCH
    assert "+NEW NEW" in await diff(bench, found)
    assert report.checks[-1].exit_code == 0
    assert len(bench.claude.asked) == 2
    files = (await bench.backends.results.list_files(found.job_id, "acme/web", limit=10, cursor=None)).items
    assert [file.path for file in files] == ["a.txt", "a.txt (correction 1)"]


async def test_what_stays_wrong_fails_after_the_rounds_and_keeps_the_diff(bench: ShardBench) -> None:
    count = 0

    async def always_another(request: ClaudeRequest) -> ToolUse:
        nonlocal count
        count += 1
        return edit(f"OLD{count - 1}", f"OLD{count}")

    bench.claude.script = always_another
    check = (PYTHON, "-c", "import sys; sys.exit(open('a.txt').read() != 'OLD0\\n' and 'a.txt:1: wrong')")
    found, report = await run(bench, [EditStep(), VerifyStep(argv=check)], content=b"OLD0\n", verify_rounds=2)
    assert found.failure is not None
    assert found.failure.code == FailureCode.VERIFY_FAILED
    assert "after 2 corrections" in found.failure.message
    assert "wrong" in report.checks[-1].output
    assert len(bench.claude.asked) == 3
    assert "OLD3" in await diff(bench, found)


async def test_a_failure_that_was_there_before_does_not_count(bench: ShardBench) -> None:
    always = (PYTHON, "-c", "import sys; sys.exit('a.txt:1: it was ever so')")
    found, report = await run(bench, [EditStep(), VerifyStep(argv=always)])
    assert found.outcome is RunOutcome.PATCH
    assert [check.exit_code for check in report.checks] == [1, 1]


async def test_an_edit_that_undoes_the_codemod_is_no_change(bench: ShardBench) -> None:
    async def undo(request: ClaudeRequest) -> ToolUse:
        return edit("AN OLD THING", "an OLD thing")

    bench.claude.script = undo
    found, _ = await run(bench, [CodemodStep(argv=UPPER), EditStep()])
    assert found.outcome is RunOutcome.NO_CHANGES
    assert found.reason is not None
    assert "change nothing" in found.reason


@pytest.mark.parametrize("judge", [Judge.ADVISES, Judge.DECIDES])
@pytest.mark.parametrize("meets", [True, False])
async def test_the_judge_advises_or_decides(bench: ShardBench, judge: Judge, *, meets: bool) -> None:
    async def edit_then_judge(request: ClaudeRequest) -> ToolUse:
        return verdict(meets=meets) if b"give_verdict" in bytes(request.tools) else await replace_old(request)

    bench.claude.script = edit_then_judge
    found, report = await run(bench, [], judge=judge)
    assert report.verdict is not None
    assert report.verdict.meets is meets
    if judge is Judge.DECIDES and not meets:
        assert found.failure is not None
        assert found.failure.code == FailureCode.JUDGE_REJECTED
    else:
        assert found.outcome is RunOutcome.PATCH
    assert (await bench.backends.results.usage(found.job_id)).calls == 2


@pytest.mark.parametrize("judge", [Judge.ADVISES, Judge.DECIDES])
async def test_without_a_verdict_a_judge_that_decides_fails_the_run(bench: ShardBench, judge: Judge) -> None:
    async def never_judge(request: ClaudeRequest) -> ToolUse:
        return edit("no", "verdict") if b"give_verdict" in bytes(request.tools) else await replace_old(request)

    bench.claude.script = never_judge
    found, report = await run(bench, [], judge=judge)
    assert report.verdict is None
    if judge is Judge.ADVISES:
        assert found.outcome is RunOutcome.PATCH
        return
    assert found.failure is not None
    assert found.failure.code == FailureCode.JUDGE_FAILED
    assert "called give_verdict 0 times" in found.failure.message


async def test_the_same_diff_is_judged_once(bench: ShardBench) -> None:
    async def edit_then_judge(request: ClaudeRequest) -> ToolUse:
        return verdict(meets=True) if b"give_verdict" in bytes(request.tools) else await replace_old(request)

    bench.claude.script = edit_then_judge
    for name in ("acme/web", "acme/api"):
        bench.repository(name, {"a.txt": b"an OLD thing\n"})
    for name in ("acme/web", "acme/api"):
        job, shard = await bench.dispatched(name, judge=Judge.ADVISES)
        await bench.work(job, shard).run()
        report = await bench.backends.results.get_report(job.id, name)
        assert report.verdict is not None
        assert report.verdict.meets
    assert len(bench.claude.asked) == 2


async def test_a_job_with_commands_stops_where_there_is_no_sandbox(
    bench: ShardBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.repository("acme/web", {"a.txt": b"OLD\n"})
    monkeypatch.setenv("PATH", "/nowhere")
    job, shard = await bench.dispatched("acme/web", steps=(EditStep(), VerifyStep(argv=("true",))))
    await bench.work(job, shard).run()
    stopped = await bench.backends.jobs.get_job(job.id)
    assert stopped.failure is not None
    assert (stopped.status, stopped.failure.code) == (JobStatus.FAILED, FailureCode.SANDBOX_MISSING)
    assert bench.claude.asked == []


async def test_without_a_change_nothing_is_verified(bench: ShardBench) -> None:
    async def leave_it(request: ClaudeRequest) -> ToolUse:
        return leave("nothing to do")

    bench.claude.script = leave_it
    found, report = await run(bench, [EditStep(), VerifyStep(argv=("false",))])
    assert (found.outcome, report.checks) == (RunOutcome.NO_CHANGES, ())

"""Verify commands count for what the edit broke, never for what was broken before."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from cody_worker.commands.verify import FailedBefore, Verified, Verifier, VerifyFailed
from cody_worker.git.repository_process import RepositoryProcess
from cody_worker.sandbox.command import CommandLimits, CommandRunner, EndReason
from tests.support.git_children import EVERYTHING, GitWork
from tests.support.repositories import make_repository
from tests.support.sandboxes import LIMITS

PATHS = ("a.py", "b.py", "check.py")
CHECK = b"""
import random, sys, time
bad = 0
for path in ("a.py", "b.py"):
    for number, line in enumerate(open(path), 1):
        if "BAD" in line:
            bad += 1
            print(f"\\x1b[31m{path}:{number}:1: error: {line.strip()} at {hex(random.getrandbits(40))}\\x1b[0m")
print(f"{bad} errors in {time.monotonic():.2f}s")
open("build-output", "w").write("x")
sys.exit(1 if bad else 0)
"""
ARGV = ("python", "check.py")


@asynccontextmanager
async def verifying(
    runner: CommandRunner,
    git_work: GitWork,
    tmp_path: Path,
    files: Mapping[str, bytes],
    *,
    limits: CommandLimits = LIMITS,
) -> AsyncGenerator[tuple[Verifier, RepositoryProcess]]:
    source = make_repository(tmp_path / "source", {"check.py": CHECK, **files})
    async with git_work.open(source.path) as target:
        await target.checkout()
        await target.scope(EVERYTHING)
        yield Verifier(runner, target, [ARGV], limits, scratch=str(git_work.scratch)), target


async def test_an_edit_that_breaks_nothing_is_verified_and_leaves_no_output(
    runner: CommandRunner, git_work: GitWork, tmp_path: Path
) -> None:
    async with verifying(runner, git_work, tmp_path, {"a.py": b"one\n", "b.py": b"two\n"}) as (verifier, target):
        await target.stage({"a.py": b"edited\n"})
        verdict = await verifier.verify(PATHS)
        scope = await target.scope(EVERYTHING)

    assert isinstance(verdict, Verified)
    assert verdict.results[0].output.startswith("0 errors in")
    assert [file.path for file in scope.candidates] == ["a.py", "b.py", "check.py"]


async def test_what_the_edit_broke_is_told_with_its_file(
    runner: CommandRunner, git_work: GitWork, tmp_path: Path
) -> None:
    async with verifying(runner, git_work, tmp_path, {"a.py": b"one\n", "b.py": b"two\n"}) as (verifier, target):
        await target.stage({"b.py": b"two\nBAD\n"})
        verdict = await verifier.verify(PATHS)

    assert isinstance(verdict, VerifyFailed)
    (finding,) = verdict.findings
    assert finding.files == ("b.py",)
    assert finding.message.startswith("`python check.py` ended with exit code 1:\nb.py:2:1: error: BAD at 0x")


async def test_a_failure_that_was_there_before_does_not_count_wherever_it_moved(
    runner: CommandRunner, git_work: GitWork, tmp_path: Path
) -> None:
    async with verifying(runner, git_work, tmp_path, {"a.py": b"BAD\n", "b.py": b"two\n"}) as (verifier, target):
        await target.stage({"a.py": b"new\nlines\nBAD\n"})
        verdict = await verifier.verify(PATHS)

        assert isinstance(verdict, FailedBefore)
        assert verdict.failing == (ARGV,)

        await target.stage({"a.py": b"BAD\nBAD\n", "b.py": b"two\nBAD\n"})
        worse = await verifier.verify(PATHS)

    assert isinstance(worse, VerifyFailed)
    assert worse.findings[0].files[0] in {"a.py", "b.py"}
    assert "b.py" in worse.findings[0].files


async def test_another_exit_code_is_another_failure(runner: CommandRunner, git_work: GitWork, tmp_path: Path) -> None:
    source = make_repository(tmp_path / "source", {"code": b"3\n", "silent.sh": b"exit $(cat code)\n"})
    async with git_work.open(source.path) as target:
        await target.checkout()
        await target.scope(EVERYTHING)
        verifier = Verifier(runner, target, [("sh", "silent.sh")], LIMITS)
        assert isinstance(await verifier.verify(["code"]), FailedBefore)
        await target.stage({"code": b"4\n"})
        assert isinstance(await verifier.verify(["code"]), VerifyFailed)


async def test_the_base_commit_is_tried_once(runner: CommandRunner, git_work: GitWork, tmp_path: Path) -> None:
    async with verifying(runner, git_work, tmp_path, {"a.py": b"BAD\n", "b.py": b"two\n"}) as (verifier, target):
        await target.stage({"a.py": b"good\n"})
        first = await verifier.run_on_base()
        await verifier.verify(PATHS)
        second = await verifier.run_on_base()

    assert first == second
    assert "a.py:1:1: error: BAD" in first[0].output


async def test_commands_after_a_finding_are_not_run(runner: CommandRunner, git_work: GitWork, tmp_path: Path) -> None:
    async with verifying(runner, git_work, tmp_path, {"a.py": b"one\n", "b.py": b"two\n"}) as (_, target):
        verifier = Verifier(runner, target, [ARGV, ("true",)], LIMITS)
        await target.stage({"a.py": b"BAD\n"})
        verdict = await verifier.verify(PATHS)

    assert isinstance(verdict, VerifyFailed)
    assert len(verdict.results) == 1


@pytest.mark.parametrize("base", [b"sleep 60\n", b"true\n"])
async def test_a_command_that_never_ends_counts_when_it_did_before(
    runner: CommandRunner, git_work: GitWork, tmp_path: Path, base: bytes
) -> None:
    source = make_repository(tmp_path / "source", {"run.sh": base})
    async with git_work.open(source.path) as target:
        await target.checkout()
        await target.scope(EVERYTHING)
        await target.stage({"run.sh": b"sleep 61\n"})
        verifier = Verifier(runner, target, [("sh", "run.sh")], CommandLimits(seconds=0.3))
        verdict = await verifier.verify(["run.sh"])

    assert isinstance(verdict, FailedBefore if base.startswith(b"sleep") else VerifyFailed)
    assert verdict.results[0].reason is EndReason.TIME_LIMIT

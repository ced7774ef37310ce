"""The child is given up, never waited for: by time, by memory, by whoever kills it, and with its worker."""

import asyncio
import os
import signal
from pathlib import Path

import psutil
import pytest

from cody_jobs.errors import JobFailed
from cody_jobs.models import FailureCode
from cody_jobs.ports.code_host import CloneSource
from cody_worker.git.death import explain_death
from cody_worker.git.limits import GitLimits
from cody_worker.git.scope import ScopeRules
from cody_worker.git.wire import ChildSetup, ReadFile
from tests.support.git_children import EVERYTHING, WHEN, GitWork, commit
from tests.support.git_http import GitHost
from tests.support.repositories import GitRepository, make_repository
from tests.support.wait import wait_until

ENDLESS = ScopeRules(match=r"^(a+)+$")


@pytest.fixture
def source(tmp_path: Path) -> GitRepository:
    return make_repository(tmp_path / "source", {"a.py": b"a" * 60 + b"!\n", "b.py": b"b\n"})


async def test_a_child_and_its_folder_are_gone_after_the_block(source: GitRepository, git_work: GitWork) -> None:
    async with git_work.open(source.path) as repository:
        await repository.checkout()
        assert psutil.pid_exists(repository.pid)
        assert [path.stat().st_mode & 0o777 for path in git_work.scratch.iterdir()] == [0o700]

    assert not psutil.pid_exists(repository.pid)
    assert not list(git_work.scratch.iterdir())


async def test_an_expression_that_backtracks_without_end_is_given_up(source: GitRepository, git_work: GitWork) -> None:
    async with git_work.open(source.path, git_work.limits(seconds=0.5)) as repository:
        await repository.checkout()
        with pytest.raises(JobFailed, match=r"longer than GIT_SECONDS \(0.5 s\).*`match`") as caught:
            await repository.scope(ENDLESS)
        with pytest.raises(JobFailed, match="GIT_SECONDS"):
            await repository.read_file("b.py")

    assert (caught.value.code, caught.value.retryable) == (FailureCode.REPOSITORY_TOO_SLOW, False)


async def test_requests_that_are_under_way_together_each_get_their_own_answer(
    tmp_path: Path, git_work: GitWork
) -> None:
    files = {f"{number}.py": f"{number}\n".encode() * (number * 1_000 + 1) for number in range(40)}
    source = make_repository(tmp_path / "many", files)
    async with git_work.open(source.path) as repository:
        await repository.checkout()
        await repository.scope(EVERYTHING)
        assert await asyncio.gather(*[repository.read_file(path) for path in files]) == list(files.values())


async def test_what_ends_a_child_is_told_to_all_who_wait_for_it(source: GitRepository, git_work: GitWork) -> None:
    async with git_work.open(source.path, git_work.limits(seconds=0.5)) as repository:
        await repository.checkout()
        behind = [repository.read_file("b.py") for _ in range(3)]
        told = await asyncio.gather(repository.scope(ENDLESS), *behind, return_exceptions=True)
    assert [error.code for error in told if isinstance(error, JobFailed)] == [FailureCode.REPOSITORY_TOO_SLOW] * 4


async def test_the_kernel_ends_a_child_whose_worker_does_not(source: GitRepository, git_work: GitWork) -> None:
    async with git_work.open(source.path) as repository:
        await repository.checkout()
        scoping = asyncio.create_task(repository.scope(ENDLESS))
        child = psutil.Process(repository.pid)
        await wait_until(lambda: child.cpu_times().user > 0.2, "the child is busy")
        soft, _ = child.rlimit(psutil.RLIMIT_CPU)
        assert 60 <= soft <= 65
        child.rlimit(psutil.RLIMIT_CPU, (1, 60))
        with pytest.raises(JobFailed) as caught:
            await scoping

    assert caught.value.code == FailureCode.REPOSITORY_TOO_SLOW


async def test_limits_are_the_kernels(source: GitRepository, git_work: GitWork) -> None:
    async with git_work.open(source.path, git_work.limits(memory_mb=100)) as repository:
        await repository.checkout()
        child = psutil.Process(repository.pid)
        assert child.rlimit(psutil.RLIMIT_CORE) == (0, 0)
        assert child.rlimit(psutil.RLIMIT_AS)[0] - child.memory_info().vms <= 100 * 2**20


async def test_a_child_that_is_killed_in_the_middle_may_be_tried_again(
    source: GitRepository, git_work: GitWork
) -> None:
    async with git_work.open(source.path) as repository:
        await repository.checkout()
        scoping = asyncio.create_task(repository.scope(ENDLESS))
        await wait_until(lambda: psutil.Process(repository.pid).cpu_times().user > 0.1, "the child is busy")
        os.kill(repository.pid, signal.SIGKILL)
        with pytest.raises(JobFailed, match="killed from outside while examining the files") as caught:
            await scoping
        with pytest.raises(JobFailed, match="killed from outside"):
            await repository.checkout()

    assert (caught.value.code, caught.value.retryable) == (FailureCode.REPOSITORY_TOO_LARGE, True)
    assert not list(git_work.scratch.iterdir())


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS])
async def test_a_crash_is_the_repositorys_fault_and_names_the_signal(
    source: GitRepository, git_work: GitWork, number: signal.Signals
) -> None:
    async with git_work.open(source.path) as repository:
        await repository.checkout()
        os.kill(repository.pid, number)
        with pytest.raises(JobFailed, match=number.name) as caught:
            await repository.scope(EVERYTHING)

    assert (caught.value.code, caught.value.retryable) == (FailureCode.REPOSITORY_UNREADABLE, False)


def test_a_map_that_cannot_grow_is_a_full_disk_where_packs_are_written() -> None:
    setup = ChildSetup(source=CloneSource(url="http://x/y"), folder="/", limits=GitLimits())

    assert explain_death(128 + signal.SIGBUS, ReadFile(path="a"), setup).code == FailureCode.DISK_FULL


async def test_a_worker_that_stops_waiting_takes_the_child_with_it(source: GitRepository, git_work: GitWork) -> None:
    pids: list[int] = []

    async def work() -> None:
        async with git_work.open(source.path) as repository:
            pids.append(repository.pid)
            await repository.checkout()
            await repository.scope(ENDLESS)

    working = asyncio.create_task(work())
    await wait_until(lambda: pids and psutil.Process(pids[0]).cpu_times().user > 0.1, "the child is busy")
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working

    assert not psutil.pid_exists(pids[0])
    assert not list(git_work.scratch.iterdir())


async def test_after_a_cancelled_request_no_late_reply_is_taken_for_another(
    source: GitRepository, git_work: GitWork
) -> None:
    async with git_work.open(source.path) as repository:
        await repository.checkout()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(repository.scope(ENDLESS), 0.1)
        with pytest.raises(JobFailed, match="an earlier request was cancelled"):
            await repository.scope(EVERYTHING)


async def test_many_children_work_side_by_side(source: GitRepository, git_work: GitWork) -> None:
    async def work() -> str:
        async with git_work.open(source.path) as repository:
            await repository.checkout()
            await repository.scope(EVERYTHING)
            contents = await asyncio.gather(*[repository.read_file(path) for path in ("a.py", "b.py") * 5])
            assert contents == [b"a" * 60 + b"!\n", b"b\n"] * 5
            return (await commit(repository, {"b.py": b"c\n"})).commit

    commits = await asyncio.gather(*[work() for _ in range(8)])

    assert len(set(commits)) == 1
    assert not list(git_work.scratch.iterdir())


async def test_the_loop_runs_on_while_git_works(source: GitRepository, git_work: GitWork) -> None:
    async with git_work.open(source.path, git_work.limits(seconds=0.4)) as repository:
        await repository.checkout()
        scoping = asyncio.create_task(repository.scope(ENDLESS))
        turns = 0
        while not scoping.done():
            await asyncio.sleep(0.01)
            turns += 1
        with pytest.raises(JobFailed):
            await scoping

    assert turns > 5


async def test_a_branch_that_git_does_not_take_is_refused(source: GitRepository, git_work: GitWork) -> None:
    async with git_work.open(source.path) as repository:
        await repository.checkout()
        await repository.scope(EVERYTHING)
        with pytest.raises(JobFailed, match="is not a branch name"):
            await repository.commit({"b.py": b"c\n"}, branch="a..b", message="m", author="A <a@b>", when=WHEN)


@pytest.mark.parametrize(
    ("author", "written"),
    [("A <a@b>", "A <a@b>"), ("A\nparent x <a@b\n>>", "Aparent x <a@b>"), ("A", "A <>"), ("<>", "Cody Batch <>")],
)
async def test_an_author_cannot_write_lines_of_the_commit(
    source: GitRepository, git_work: GitWork, author: str, written: str
) -> None:
    async with git_work.open(source.path) as repository:
        await repository.checkout()
        await repository.scope(EVERYTHING)
        patch = await repository.commit({"b.py": b"c\n"}, branch="b", message="m", author=author, when=WHEN)
        assert patch is not None
        (scratch,) = git_work.scratch.iterdir()
        commit_text = GitRepository(scratch).line("cat-file", "-p", patch.commit)

    assert f"\nauthor {written} 1767323045 +0000\ncommitter " in commit_text
    assert commit_text.count("parent ") == 1 + written.count("parent ") * 2


async def test_no_room_for_a_scratch_folder_is_a_full_disk(source: GitRepository, git_work: GitWork) -> None:
    limits = GitLimits(scratch=str(git_work.scratch / "missing"))

    with pytest.raises(JobFailed) as caught:
        async with git_work.open(source.path, limits):
            pass

    assert (caught.value.code, caught.value.retryable) == (FailureCode.DISK_FULL, True)


async def test_a_child_in_the_middle_of_a_clone_is_killed_cleanly(
    source: GitRepository, git_work: GitWork, tmp_path: Path
) -> None:
    with GitHost(tmp_path).serve() as host:
        host.hang = True
        async with git_work.open(CloneSource(url=host.url("source"))) as repository:
            cloning = asyncio.create_task(repository.checkout())
            await wait_until(host.asked.is_set, "the host is asked")
            os.kill(repository.pid, signal.SIGKILL)
            with pytest.raises(JobFailed, match="killed from outside while checking out"):
                await cloning

    assert not list(git_work.scratch.iterdir())

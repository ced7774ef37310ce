"""Cloning over HTTP from a real `git http-backend`, and from one that misbehaves."""

import base64
import os
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from cody_jobs.errors import JobFailed
from cody_jobs.models import FailureCode
from cody_jobs.ports.code_host import CloneSource
from cody_worker.git.limits import Checkout, GitLimits
from tests.support.git_children import EVERYTHING, GitWork, commit
from tests.support.git_http import GitHost
from tests.support.repositories import GitRepository, apply_patch, make_repository, run_git

TOKEN = "the-secret-token"
FILES = {"a.py": b"one\n", "b/c.py": b"two\n", "random": os.urandom(200_000)}


@pytest.fixture
def source(tmp_path: Path) -> GitRepository:
    repository = make_repository(tmp_path / "host" / "owner" / "name", {"a.py": b"zero\n"})
    repository.commit(FILES)
    return repository


@pytest.fixture
async def host(tmp_path: Path) -> AsyncGenerator[GitHost]:
    with GitHost(tmp_path / "host").serve() as serving:
        yield serving


async def failure(
    git_work: GitWork, host: GitHost, *, token: str | None = None, limits: GitLimits | None = None
) -> JobFailed:
    async with git_work.open(CloneSource(url=host.url("owner/name"), token=token), limits) as repository:
        try:
            await repository.checkout()
        except JobFailed as error:
            return error
    raise AssertionError("nothing failed")


async def test_a_clone_can_be_edited_like_any_other(
    source: GitRepository, host: GitHost, git_work: GitWork, tmp_path: Path
) -> None:
    async with git_work.open(CloneSource(url=host.url("owner/name"))) as repository:
        assert await repository.checkout() == Checkout(base_commit=source.resolve("main"), branch="main")
        await repository.scope(EVERYTHING)
        patch = await commit(repository, {"a.py": b"three\n"})

    apply_patch(source, patch.base_commit, patch.patch, tmp_path / "applied")
    assert (tmp_path / "applied" / "a.py").read_bytes() == b"three\n"


async def test_only_the_newest_commit_is_fetched(source: GitRepository, host: GitHost, git_work: GitWork) -> None:
    async with git_work.open(CloneSource(url=host.url("owner/name"))) as repository:
        checkout = await repository.checkout()
        (scratch,) = git_work.scratch.glob("cody-git-*")
        log = run_git(scratch, "rev-list", "--count", checkout.base_commit)

    assert (log.strip(), source.line("rev-list", "--count", "main")) == (b"1", "2")


async def test_the_default_branch_is_the_hosts(source: GitRepository, host: GitHost, git_work: GitWork) -> None:
    source.git("branch", "-m", "main", "trunk/now")
    source.git("branch", "another", "trunk/now~1")

    async with git_work.open(CloneSource(url=host.url("owner/name"))) as repository:
        assert await repository.checkout() == Checkout(base_commit=source.resolve("HEAD"), branch="trunk/now")


async def test_a_detached_head_is_fetched_too(source: GitRepository, host: GitHost, git_work: GitWork) -> None:
    source.git("update-ref", "--no-deref", "HEAD", source.resolve("main~1"))

    async with git_work.open(CloneSource(url=host.url("owner/name"))) as repository:
        assert await repository.checkout() == Checkout(base_commit=source.resolve("main~1"), branch=None)


async def test_a_token_is_sent_where_one_is_asked_for_and_never_written_down(
    source: GitRepository, host: GitHost, git_work: GitWork
) -> None:
    host.token = TOKEN
    async with git_work.open(CloneSource(url=host.url("owner/name"), token=TOKEN)) as repository:
        assert (await repository.checkout()).base_commit == source.resolve("main")
        (scratch,) = git_work.scratch.glob("cody-git-*")
        written = b"".join(path.read_bytes() for path in scratch.rglob("*") if path.is_file())

    assert base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode() in host.authorizations[0]
    assert TOKEN.encode() not in written


@pytest.mark.parametrize("token", [None, "a-wrong-token"])
async def test_refused_access(source: GitRepository, host: GitHost, git_work: GitWork, token: str | None) -> None:
    host.token = TOKEN

    error = await failure(git_work, host, token=token)

    assert (error.code, error.retryable) == (FailureCode.REPOSITORY_NOT_FOUND, False)
    assert "refuses access" in error.message
    assert "wrong" not in error.message
    assert len(host.authorizations) == (token is not None)


@pytest.mark.parametrize("token", [None, TOKEN])
async def test_nobody_is_followed_to_another_host(
    source: GitRepository, host: GitHost, git_work: GitWork, token: str | None
) -> None:
    with GitHost(host.root).serve() as other:
        other.token = TOKEN
        host.redirect_to = f"http://localhost:{other.port}"
        error = await failure(git_work, host, token=token)

    assert (error.code, error.retryable) == (FailureCode.REPOSITORY_NOT_FOUND, False)
    assert "another host" in error.message
    assert not other.asked.is_set()


async def test_a_repository_that_has_moved_within_the_host_is_found(
    source: GitRepository, host: GitHost, git_work: GitWork
) -> None:
    host.redirect_to = f"http://127.0.0.1:{host.port}"
    host.moved = ("/old/name", "/owner/name")

    async with git_work.open(CloneSource(url=host.url("old/name"))) as repository:
        assert (await repository.checkout()).base_commit == source.resolve("main")


@pytest.mark.parametrize(
    ("status", "code", "retryable"),
    [
        (401, FailureCode.REPOSITORY_NOT_FOUND, False),
        (403, FailureCode.REPOSITORY_NOT_FOUND, False),
        (404, FailureCode.REPOSITORY_NOT_FOUND, False),
        (400, FailureCode.CODE_HOST_UNAVAILABLE, False),
        (429, FailureCode.CODE_HOST_UNAVAILABLE, True),
        (500, FailureCode.CODE_HOST_UNAVAILABLE, True),
        (503, FailureCode.CODE_HOST_UNAVAILABLE, True),
    ],
)
async def test_what_a_status_means(
    source: GitRepository, host: GitHost, git_work: GitWork, status: int, code: FailureCode, *, retryable: bool
) -> None:
    host.status = status

    error = await failure(git_work, host)

    assert (error.code, error.retryable) == (code, retryable)
    assert f"127.0.0.1:{host.port}" in error.message


async def test_a_host_that_does_not_know_the_repository(
    source: GitRepository, host: GitHost, git_work: GitWork
) -> None:
    source.path.rename(source.path.with_name("renamed"))

    error = await failure(git_work, host)

    assert (error.code, error.retryable) == (FailureCode.REPOSITORY_NOT_FOUND, False)


async def test_a_host_without_commits(host: GitHost, git_work: GitWork, tmp_path: Path) -> None:
    make_repository(tmp_path / "host" / "owner" / "name")

    error = await failure(git_work, host)

    assert error.code == FailureCode.REPOSITORY_EMPTY
    assert "has no commits" in error.message


async def test_a_default_branch_without_commits(source: GitRepository, host: GitHost, git_work: GitWork) -> None:
    source.git("symbolic-ref", "HEAD", "refs/heads/other")

    error = await failure(git_work, host)

    assert error.code == FailureCode.REPOSITORY_EMPTY
    assert "default branch" in error.message


async def test_a_host_that_falls_silent(source: GitRepository, host: GitHost, git_work: GitWork) -> None:
    host.hang = True

    error = await failure(git_work, host)

    assert (error.code, error.retryable) == (FailureCode.CODE_HOST_UNAVAILABLE, True)
    assert "timed out" in error.message


async def test_a_host_that_is_not_there(source: GitRepository, host: GitHost, git_work: GitWork) -> None:
    async with git_work.open(CloneSource(url="http://127.0.0.1:9/owner/name")) as repository:
        with pytest.raises(JobFailed, match="Connection refused") as caught:
            await repository.checkout()

    assert (caught.value.code, caught.value.retryable) == (FailureCode.CODE_HOST_UNAVAILABLE, True)


@pytest.mark.parametrize("sent", [0, 10, 1_000, 100_000])
async def test_a_pack_that_is_cut_off(source: GitRepository, host: GitHost, git_work: GitWork, sent: int) -> None:
    host.cut_after = sent

    error = await failure(git_work, host)

    assert (error.code, error.retryable) == (FailureCode.CODE_HOST_UNAVAILABLE, True)
    assert not list(git_work.scratch.iterdir())


async def test_a_clone_above_the_limit_is_given_up(source: GitRepository, host: GitHost, git_work: GitWork) -> None:
    error = await failure(git_work, host, limits=git_work.limits(clone_bytes=50_000))

    assert (error.code, error.retryable) == (FailureCode.REPOSITORY_TOO_LARGE, False)
    assert error.message == "cloning takes more than 50,000 bytes"


async def test_cloning_that_takes_too_long_may_be_tried_again(
    source: GitRepository, host: GitHost, git_work: GitWork
) -> None:
    host.hang = True

    error = await failure(git_work, host, limits=git_work.limits(seconds=0.3))

    assert (error.code, error.retryable) == (FailureCode.REPOSITORY_TOO_SLOW, True)


@pytest.mark.parametrize("url", ["ssh://x/y", "file:///etc", "git@x:y", "http:///x", "https://user:secret@x/y"])
async def test_other_addresses_are_refused_without_being_repeated(git_work: GitWork, url: str) -> None:
    async with git_work.open(CloneSource(url=url)) as repository:
        with pytest.raises(JobFailed, match="only http and https") as caught:
            await repository.checkout()

    assert "secret" not in caught.value.message

"""Repositories on this machine, in every shape that git knows."""

import os
from pathlib import Path

import pytest

from cody_jobs.errors import JobFailed
from cody_jobs.models import FailureCode
from cody_worker.git.limits import Checkout
from tests.support.git_children import EVERYTHING, GitWork, commit
from tests.support.repositories import GitRepository, apply_patch, clone, make_repository, run_git, snapshot

FILES = {"a.py": b"one\n", "b/c.py": b"two\n"}


async def check_it_works(git_work: GitWork, path: Path, branch: str | None, tmp_path: Path) -> None:
    """Check out, choose, edit, and hold on to it that nothing at `path` changed."""
    head = run_git(path, "rev-parse", "HEAD").decode().strip()
    before = snapshot(path)
    async with git_work.open(path) as repository:
        assert await repository.checkout() == Checkout(base_commit=head, branch=branch)
        scope = await repository.scope(EVERYTHING)
        assert [file.path for file in scope.candidates] == ["a.py", "b/c.py"]
        patch = await commit(repository, {"a.py": b"three\n"})
    assert snapshot(path) == before
    apply_patch(GitRepository(path), head, patch.patch, tmp_path / "applied")
    assert (tmp_path / "applied" / "a.py").read_bytes() == b"three\n"
    assert not list(git_work.scratch.iterdir())


async def failure(git_work: GitWork, path: Path) -> JobFailed:
    async with git_work.open(path) as repository:
        try:
            await repository.checkout()
            await repository.scope(EVERYTHING)
        except JobFailed as error:
            return error
    raise AssertionError("nothing failed")


async def test_a_bare_repository(git_work: GitWork, tmp_path: Path) -> None:
    await check_it_works(git_work, make_repository(tmp_path / "source", FILES).path, "main", tmp_path)


async def test_a_work_tree_of_which_only_the_commits_count(git_work: GitWork, tmp_path: Path) -> None:
    source = make_repository(tmp_path / "source", FILES, bare=False)
    (source.path / "a.py").write_bytes(b"not committed\n")
    (source.path / "new.py").write_bytes(b"not committed\n")
    source.git("rm", "-q", "--cached", "b/c.py")

    await check_it_works(git_work, source.path, "main", tmp_path)


async def test_a_linked_work_tree(git_work: GitWork, tmp_path: Path) -> None:
    main = make_repository(tmp_path / "source", {"other.py": b"1\n"}, bare=False)
    main.commit(FILES, branch="side")
    main.git("worktree", "add", "-q", tmp_path / "linked", "side")

    await check_it_works(git_work, tmp_path / "linked", "side", tmp_path)


async def test_a_git_folder_elsewhere(git_work: GitWork, tmp_path: Path) -> None:
    source = make_repository(tmp_path / "source", FILES)
    clone(source, tmp_path / "clone", "--separate-git-dir", str(tmp_path / "elsewhere"))

    await check_it_works(git_work, tmp_path / "clone", "main", tmp_path)


async def test_borrowed_objects(git_work: GitWork, tmp_path: Path) -> None:
    source = make_repository(tmp_path / "source", FILES)
    first = clone(source, tmp_path / "first", "--shared", "--bare")
    clone(first, tmp_path / "second", "--shared", "--bare")

    await check_it_works(git_work, tmp_path / "second", "main", tmp_path)


async def test_a_detached_head(git_work: GitWork, tmp_path: Path) -> None:
    source = make_repository(tmp_path / "source", FILES, bare=False)
    source.git("checkout", "-q", "--detach")

    await check_it_works(git_work, source.path, None, tmp_path)


async def test_a_shallow_clone(git_work: GitWork, tmp_path: Path) -> None:
    source = make_repository(tmp_path / "source", {"a.py": b"zero\n"})
    source.commit(FILES)
    run_git(tmp_path, "clone", "-q", "--bare", "--depth=1", f"file://{source.path}", str(tmp_path / "shallow"))
    assert (tmp_path / "shallow" / "shallow").exists()

    async with git_work.open(tmp_path / "shallow") as repository:
        await repository.checkout()
        await repository.scope(EVERYTHING)
        assert (await commit(repository, {"a.py": b"three\n"})).files_changed == 1


async def test_packed_references_and_a_branch_with_slashes(git_work: GitWork, tmp_path: Path) -> None:
    source = make_repository(tmp_path / "source", FILES)
    source.git("branch", "-m", "main", "release/1.x")
    source.git("pack-refs", "--all")

    await check_it_works(git_work, source.path, "release/1.x", tmp_path)


async def test_a_folder_with_an_odd_name(git_work: GitWork, tmp_path: Path) -> None:
    source = make_repository(tmp_path / 'a "strange"\nfolder é', FILES)

    await check_it_works(git_work, source.path, "main", tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to somebody else")
async def test_a_repository_of_another_user(git_work: GitWork, tmp_path: Path) -> None:
    source = make_repository(tmp_path / "source", FILES)
    for path in (source.path, *source.path.rglob("*")):
        os.chown(path, 12_345, 12_345)

    async with git_work.open(source.path) as repository:
        assert (await repository.checkout()).branch == "main"


@pytest.mark.parametrize("bare", [True, False])
async def test_no_commits_at_all(git_work: GitWork, tmp_path: Path, *, bare: bool) -> None:
    source = make_repository(tmp_path / "source", bare=bare)

    error = await failure(git_work, source.path)

    assert (error.code, error.message, error.retryable) == (
        FailureCode.REPOSITORY_EMPTY,
        "the repository has no commits",
        False,
    )


async def test_head_on_a_branch_without_commits(git_work: GitWork, tmp_path: Path) -> None:
    source = make_repository(tmp_path / "source", FILES)
    source.git("symbolic-ref", "HEAD", "refs/heads/other")

    error = await failure(git_work, source.path)

    assert error.code == FailureCode.REPOSITORY_EMPTY
    assert error.message == "HEAD points to the branch 'other', which has no commits; other branches do"


async def test_a_commit_of_nothing_has_no_candidates(git_work: GitWork, tmp_path: Path) -> None:
    source = make_repository(tmp_path / "source", bare=False)
    source.git("commit", "-q", "--allow-empty", "-m", "nothing")

    assert (await git_work.scope(source.path)).counts.examined == 0


async def test_a_missing_folder(git_work: GitWork, tmp_path: Path) -> None:
    error = await failure(git_work, tmp_path / "missing")

    assert (error.code, error.message) == (FailureCode.REPOSITORY_NOT_FOUND, "there is no folder 'missing'")


async def test_a_folder_that_is_no_repository(git_work: GitWork, tmp_path: Path) -> None:
    inside = make_repository(tmp_path / "source", FILES, bare=False).path / "b"

    error = await failure(git_work, inside)

    assert (error.code, error.message) == (FailureCode.REPOSITORY_NOT_FOUND, "'b' is not a git repository")


async def test_ids_of_sha_256(git_work: GitWork, tmp_path: Path) -> None:
    run_git(tmp_path, "init", "-q", "--object-format=sha256", "--initial-branch=main", "source")
    run_git(tmp_path / "source", "commit", "-q", "--allow-empty", "-m", "x")

    error = await failure(git_work, tmp_path / "source")

    assert error.code == FailureCode.REPOSITORY_UNREADABLE
    assert "unknown object format 'sha256'" in error.message


@pytest.mark.parametrize("lost", ["main", "main^{tree}", "main:b", "main:b/c.py"])
async def test_a_lost_object(git_work: GitWork, tmp_path: Path, lost: str) -> None:
    source = make_repository(tmp_path / "source")
    source.commit_tree(source.write_tree({
        b"a.py": ("100644", source.write_object("blob", b"one\n")),
        b"b": ("40000", source.write_tree({b"c.py": ("100644", source.write_object("blob", b"two\n"))})),
    }))  # fmt: skip
    name = source.resolve(lost)
    source.object_file(lost).unlink()

    error = await failure(git_work, source.path)

    assert (error.code, error.retryable) == (FailureCode.REPOSITORY_UNREADABLE, False)
    assert name in error.message
    assert "is missing: the repository is damaged, or a partial clone" in error.message


async def test_an_object_with_the_wrong_content(git_work: GitWork, tmp_path: Path) -> None:
    source = make_repository(tmp_path / "source", {"other": b"1\n"})
    right, wrong = source.write_object("blob", b"one\n").hex(), source.write_object("blob", b"two\n").hex()
    source.commit_tree(source.write_tree({b"a.py": ("100644", bytes.fromhex(right))}))
    source.object_file(right).write_bytes(source.object_file(wrong).read_bytes())

    error = await failure(git_work, source.path)

    assert error.code == FailureCode.REPOSITORY_UNREADABLE
    assert f"blob {right} cannot be read" in error.message


async def test_a_tree_that_is_a_blob(git_work: GitWork, tmp_path: Path) -> None:
    source = make_repository(tmp_path / "source")
    source.commit_tree(source.write_tree({b"folder": ("40000", source.write_object("blob", b"one\n"))}))

    error = await failure(git_work, source.path)

    assert error.code == FailureCode.REPOSITORY_UNREADABLE
    assert "is a blob where a tree has to be" in error.message


@pytest.mark.parametrize(
    "tree",
    [b"garbage", b"100644 a.py\0short", b"100644 \0" + b"1" * 20, b"x a\0" + b"1" * 20, b"100644 a/b\0" + b"1" * 20],
)
async def test_a_tree_that_is_malformed(git_work: GitWork, tmp_path: Path, tree: bytes) -> None:
    source = make_repository(tmp_path / "source")
    name = source.write_object("tree", tree)
    source.commit_tree(name)

    error = await failure(git_work, source.path)

    assert error.code == FailureCode.REPOSITORY_UNREADABLE
    assert name.hex() in error.message


async def test_a_tree_that_names_a_file_twice(git_work: GitWork, tmp_path: Path) -> None:
    source = make_repository(tmp_path / "source")
    entry = b"100644 a.py\0" + source.write_object("blob", b"one\n")
    source.commit_tree(source.write_object("tree", entry * 2))

    error = await failure(git_work, source.path)

    assert error.code == FailureCode.REPOSITORY_UNREADABLE
    assert "is malformed" in error.message


async def test_a_commit_that_is_malformed(git_work: GitWork, tmp_path: Path) -> None:
    source = make_repository(tmp_path / "source", FILES)
    commit_id = source.write_object("commit", b"author x\n").hex()
    (source.path / "refs/heads/main").write_text(commit_id + "\n")

    error = await failure(git_work, source.path)

    assert error.code == FailureCode.REPOSITORY_UNREADABLE
    assert f"commit {commit_id} is malformed" in error.message


async def test_a_commit_by_somebody_whom_libgit2_cannot_read(git_work: GitWork, tmp_path: Path) -> None:
    source = make_repository(tmp_path / "source", FILES)
    odd = b"tree %s\nauthor nobody\ncommitter nobody\n\nx\n" % source.resolve("main^{tree}").encode()
    (source.path / "refs/heads/main").write_text(source.write_object("commit", odd).hex() + "\n")

    assert (await git_work.commit(source.path, {"a.py": b"three\n"})).files_changed == 1

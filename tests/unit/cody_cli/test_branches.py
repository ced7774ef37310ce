"""A patch becomes a branch, and nothing else of the repository changes."""

from pathlib import Path

import pytest

from cody_cli.branches import check_branch_is_new, check_branch_name, create_branch
from cody_cli.failures import BadInput, CommandFailed
from tests.support.repositories import GitRepository, make_repository, snapshot

BEFORE, AFTER = b"one\r\ntwo\r\n", b"one\r\nTWO\r\n"


@pytest.fixture
def repository(tmp_path: Path) -> GitRepository:
    return make_repository(tmp_path / "web", {"a.txt": BEFORE, "b.txt": b"b\n"}, bare=False)


@pytest.fixture
def patch(repository: GitRepository) -> bytes:
    (repository.path / "a.txt").write_bytes(AFTER)
    patch = repository.git("diff", "--binary", "--full-index")
    repository.git("checkout", "--quiet", "a.txt")
    return patch


def _untouched(repository: GitRepository) -> object:
    """Everything but the new objects and the new branch."""
    everything = snapshot(repository.path)
    inside = (".git/objects", ".git/refs", ".git/logs")
    return {name: state for name, state in everything.items() if not name.startswith(inside) and name != ".git"}


def test_the_branch_holds_the_patch_on_top_of_its_base(repository: GitRepository, patch: bytes) -> None:
    base = repository.resolve("main")
    repository.commit({"later.txt": b"main moved on"})
    (repository.path / "b.txt").write_bytes(b"work in progress")
    before = _untouched(repository)
    commit = create_branch(repository.path, "cody/x", base=base, message="Say TWO\n\nIn full.", patch=patch)
    assert repository.resolve("refs/heads/cody/x") == commit
    assert repository.git("show", "cody/x:a.txt") == AFTER
    assert repository.resolve("cody/x^") == base
    assert repository.line("log", "-1", "--format=%B", "cody/x") == "Say TWO\n\nIn full."
    assert _untouched(repository) == before
    assert repository.line("symbolic-ref", "HEAD") == "refs/heads/main"


def test_a_bare_repository_gets_its_branch_too(tmp_path: Path, repository: GitRepository, patch: bytes) -> None:
    repository.git("clone", "--quiet", "--bare", ".", tmp_path / "bare.git")
    create_branch(tmp_path / "bare.git", "x", base=repository.resolve("main"), message="m", patch=patch)
    assert GitRepository(tmp_path / "bare.git").git("show", "x:a.txt") == AFTER


def test_a_branch_that_exists_is_never_moved(repository: GitRepository, patch: bytes) -> None:
    base = repository.resolve("main")
    repository.git("branch", "taken")
    with pytest.raises(BadInput, match="has a branch 'taken' already"):
        check_branch_is_new(repository.path, "taken")
    with pytest.raises(CommandFailed, match="left as it is"):
        create_branch(repository.path, "taken", base=base, message="m", patch=patch)
    assert repository.resolve("taken") == base


def test_no_hook_runs(repository: GitRepository, patch: bytes, tmp_path: Path) -> None:
    hooks = repository.path / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("reference-transaction", "post-index-change", "pre-commit", "post-commit"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {tmp_path / 'ran'}\n")
        (hooks / name).chmod(0o755)
    create_branch(repository.path, "x", base=repository.resolve("main"), message="m", patch=patch)
    assert not (tmp_path / "ran").exists()


def test_a_patch_that_does_not_apply_makes_no_branch(repository: GitRepository, patch: bytes) -> None:
    commit = repository.commit({"a.txt": b"something else\n"})
    with pytest.raises(CommandFailed, match="git apply"):
        create_branch(repository.path, "x", base=commit, message="m", patch=patch)
    check_branch_is_new(repository.path, "x")


@pytest.mark.parametrize("name", ["a b", "-x", "a..b", "a.lock", "", "@{-1}", "a~1", "/a"])
def test_names_that_git_does_not_take_are_refused(name: str) -> None:
    with pytest.raises(BadInput, match="not a valid branch name"):
        check_branch_name(name)


def test_a_usual_name_is_taken() -> None:
    check_branch_name("cody/optional-to-union")

"""A command may leave anything in its work tree: what is taken from there is files of the tree, or nothing."""

import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from cody_jobs.errors import JobFailed
from cody_jobs.models import FailureCode
from cody_worker.git.scratch_folder import remove_folder
from cody_worker.git.work_tree import FileChange
from tests.support.git_children import GitWork, commit
from tests.support.repositories import make_repository

Trick = Callable[[Path], object]

FILES = {"a.py": b"one\n", "folder/secret": b"harmless\n", "folder/b.py": b"two\n"}


async def collected(git_work: GitWork, tmp_path: Path, do: Trick) -> tuple[tuple[FileChange, ...], bytes]:
    """What is taken after `do`, and the patch that comes of it, if any."""
    source = make_repository(tmp_path / "source", FILES)
    tree = tmp_path / "tree"
    tree.mkdir()
    async with git_work.open(source.path) as repository:
        await repository.checkout()
        await repository.materialise(tree)
        try:
            do(tree)
            changes = await repository.collect(tree)
        finally:
            remove_folder(tree)  # pytest's own way recurses
        return changes, (await commit(repository, {})).patch if changes else b""


def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret").write_bytes(b"the secret\n")
    (folder / "b.py").write_bytes(b"the secret\n")
    return folder


def replace_folder_by_link(tree: Path, target: str) -> None:
    for name in ("secret", "b.py"):
        (tree / "folder" / name).unlink()
    (tree / "folder").rmdir()
    (tree / "folder").symlink_to(target)


def make_deep(tree: Path) -> None:
    here = os.open(tree, os.O_RDONLY)
    for _ in range(250):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)


TRICKS: Sequence[tuple[Trick, str]] = (
    (lambda tree: replace_folder_by_link(tree, "../outside"), "'folder' cannot be taken: it is a symbolic link"),
    (lambda tree: replace_folder_by_link(tree, "/etc"), "'folder' cannot be taken: it is a symbolic link"),
    (lambda tree: (tree / "self").symlink_to("x/../.."), "'self' cannot be taken"),
    (lambda tree: (tree / "git").symlink_to(".git/config"), "'git' cannot be taken"),
    (lambda tree: os.mkfifo(tree / "pipe"), "neither a file nor a link"),
    (lambda tree: os.mknod(tree / "socket", stat.S_IFSOCK), "neither a file nor a link"),
    (lambda tree: ((tree / "a.py").unlink(), os.mkfifo(tree / "a.py")), "'a.py' cannot be taken: it is neither"),
    (lambda tree: ((tree / "x/.git").mkdir(parents=True), (tree / "x/.git/config").touch()), "path is not safe"),
    (lambda tree: (tree / "GIT~1").write_bytes(b"x"), "'GIT~1' cannot be taken: its path is not safe"),
    (lambda tree: (tree / ".Git").write_bytes(b"x"), "path is not safe"),
    (make_deep, "more than 200 folders deep"),
)


@pytest.mark.parametrize(
    ("do", "message"),
    TRICKS,
    ids=["link", "absolute", "up", "into .git", "fifo", "socket", "fifo for file", "nested", "git~1", ".Git", "deep"],
)
async def test_what_leads_out_is_refused(git_work: GitWork, tmp_path: Path, do: Trick, message: str) -> None:
    outside(tmp_path)

    with pytest.raises(JobFailed, match=message) as caught:
        await collected(git_work, tmp_path, do)

    assert caught.value.code == FailureCode.CODEMOD_FAILED


async def test_a_folder_that_became_a_link_inside_is_never_read_through(git_work: GitWork, tmp_path: Path) -> None:
    changes, patch = await collected(git_work, tmp_path, lambda tree: replace_folder_by_link(tree, "."))

    assert [(change.path, change.kind) for change in changes] == [
        ("folder", "created"),
        ("folder/b.py", "deleted"),
        ("folder/secret", "deleted"),
    ]
    assert b"new file mode 120000" in patch


async def test_the_work_trees_own_repository_is_nobodys_business(git_work: GitWork, tmp_path: Path) -> None:
    def write(tree: Path) -> None:
        (tree / ".git/config").write_text("[core]\n\tfsmonitor = touch /tmp/owned\n\tworktree = /\n")
        (tree / ".git/hooks/post-commit").write_text("#!/bin/sh\n")
        (tree / ".git/objects/info/alternates").write_text("/etc\n")

    assert await collected(git_work, tmp_path, write) == ((), b"")


async def test_rules_for_what_is_ignored_are_not_read_through_a_link(git_work: GitWork, tmp_path: Path) -> None:
    (outside(tmp_path) / "ignore").write_bytes(b"*\n")

    def write(tree: Path) -> None:
        (tree / "sub").mkdir()
        (tree / "sub/.gitignore").symlink_to(tmp_path / "outside/ignore")
        (tree / "sub/new").write_bytes(b"new\n")

    with pytest.raises(JobFailed, match=r"sub/\.gitignore.* symbolic link"):
        await collected(git_work, tmp_path, write)

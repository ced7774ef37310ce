"""A change of several files is staged whole or not at all, and only on what it was made for."""

from hashlib import sha256
from pathlib import Path

import pytest

from cody_worker.git.look import FoundLine, SearchRules, match_lines
from cody_worker.git.scope import NotACandidate
from cody_worker.git.staged_files import ChangedMeanwhile, FileStage
from tests.support.git_children import EVERYTHING, GitWork, commit
from tests.support.repositories import EXECUTABLE, LINK, Entry, GitRepository, apply_patch, make_repository

FILES = {
    b"a.py": b"import b\n",
    b"b.py": b"def old(): ...\n",
    b"run.sh": Entry(b"#!/bin/sh\n", EXECUTABLE),
    b"deep/c.py": b"old()\nnew()\nold()\n",
    b"link": Entry(b"deep", LINK),
    b"vendor/d.py": b"old()\n",
    b"data.bin": b"old\0",
}


@pytest.fixture
def source(tmp_path: Path) -> GitRepository:
    return make_repository(tmp_path / "source", FILES)


def _stage(path: str, content: bytes | None, before: bytes | None = None, like: str | None = None) -> FileStage:
    return FileStage(path=path, content=content, before=None if before is None else sha256(before).digest(), like=like)


async def test_files_are_made_moved_and_deleted_in_one_commit(
    source: GitRepository, git_work: GitWork, tmp_path: Path
) -> None:
    async with git_work.open(source.path) as repository:
        await repository.checkout()
        await repository.scope(EVERYTHING)
        await repository.stage_together((_stage("new/e.py", b"e\n"), _stage("a.py", b"import e\n", b"import b\n")))
        await repository.stage_together(
            (_stage("run.sh", None, b"#!/bin/sh\n"), _stage("bin/run.sh", b"#!/bin/bash\n", like="run.sh"))
        )
        await repository.stage_together((_stage("deep/c.py", None, b"old()\nnew()\nold()\n"),))
        patch = await commit(repository, {})

    target = tmp_path / "target"
    apply_patch(source, patch.base_commit, patch.patch, target)
    made = [target / path for path in ("new/e.py", "a.py", "bin/run.sh")]
    assert [path.read_bytes() for path in made] == [b"e\n", b"import e\n", b"#!/bin/bash\n"]
    assert made[2].stat().st_mode & 0o111
    assert not (target / "run.sh").exists()
    assert not (target / "deep").exists()
    assert patch.files_changed == 5


async def test_what_another_change_was_made_for_is_gone_then_nothing_is_staged(
    source: GitRepository, git_work: GitWork
) -> None:
    async with git_work.open(source.path) as repository:
        await repository.checkout()
        await repository.scope(EVERYTHING)
        await repository.stage({"a.py": b"first\n"})
        with pytest.raises(ChangedMeanwhile, match=r"a\.py"):
            await repository.stage_together((_stage("new.py", b"x\n"), _stage("a.py", b"second\n", b"import b\n")))
        await repository.stage_together((_stage("new.py", b"same\n"),))
        await repository.stage_together((_stage("new.py", b"same\n"),))
        with pytest.raises(ChangedMeanwhile, match=r"new\.py"):
            await repository.stage_together((_stage("new.py", b"other\n"),))
        assert await repository.read_other("a.py", staged=True) == b"first\n"
        assert await repository.read_other("a.py") == b"import b\n"
        assert await repository.read_other("new.py", staged=True) == b"same\n"


@pytest.mark.parametrize(
    "path",
    ["link/x.py", "a.py/x.py", "deep", "../x.py", ".git/config", "/etc/x", "x/../../y", "link", "GIT~1/hooks/x", ""],
)
async def test_a_file_is_made_only_where_one_can_stand(path: str, source: GitRepository, git_work: GitWork) -> None:
    async with git_work.open(source.path) as repository:
        await repository.checkout()
        await repository.scope(EVERYTHING)
        with pytest.raises(NotACandidate):
            await repository.stage_together((_stage("fine.py", b"x\n"), _stage(path, b"x\n")))
        assert await repository.read_other("fine.py", staged=True) is None


async def test_a_file_that_was_not_chosen_is_neither_changed_nor_deleted(
    source: GitRepository, git_work: GitWork
) -> None:
    async with git_work.open(source.path) as repository:
        await repository.checkout()
        await repository.scope(EVERYTHING)
        for content in (None, b"mine\n"):
            with pytest.raises(NotACandidate, match="not among the files"):
                await repository.stage_together((_stage("vendor/d.py", content, b"old()\n"),))


async def test_a_text_is_found_in_files_that_may_be_shown(source: GitRepository, git_work: GitWork) -> None:
    async with git_work.open(source.path) as repository:
        await repository.checkout()
        found = await repository.search(SearchRules(text="old()", paths="", most_lines=10, most_characters=4))
        assert found.lines == (
            FoundLine(path="b.py", line=1, text="def "),
            FoundLine(path="deep/c.py", line=1, text="old("),
            FoundLine(path="deep/c.py", line=3, text="old("),
        )
        assert found.whole
        few = await repository.search(SearchRules(text="old()", paths="deep/", most_lines=1, most_characters=9))
        assert [(line.path, line.line) for line in few.lines] == [("deep/c.py", 1)]
        assert not few.whole


async def test_links_vendored_and_binary_files_are_not_read(source: GitRepository, git_work: GitWork) -> None:
    async with git_work.open(source.path) as repository:
        await repository.checkout()
        unread = ("link", "vendor/d.py", "data.bin", "deep", "nowhere", "../a", "a.py/x")
        assert [await repository.read_other(path) for path in unread] == [None] * len(unread)
        assert await repository.read_other("b.py") == b"def old(): ...\n"


async def test_a_files_matches_are_told_by_their_lines(source: GitRepository, git_work: GitWork) -> None:
    async with git_work.open(source.path) as repository:
        await repository.checkout()
        await repository.scope(EVERYTHING)
        read = await repository.read_with_matches("deep/c.py", (r"^old\(\)", r"new\(\)\nold"))
        assert (read.content, read.matches) == (b"old()\nnew()\nold()\n", ((1, 1), (2, 3), (3, 3)))


def test_a_match_that_is_empty_is_none() -> None:
    assert match_lines("a\nb\n", ("x*", "$")) == ()
    assert match_lines("a\nb\n", ("a\n", "b")) == ((1, 1), (2, 2))

"""A work tree has the commit's files to the last byte and mode; what a command did there comes back, and no more."""

import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec import Struct

from cody_jobs.errors import JobFailed
from cody_jobs.models import FailureCode
from cody_worker.git.repository_process import RepositoryProcess
from cody_worker.git.work_tree import ChangeKind, FileChange, WorkTree, WorkTreeLimits
from tests.support.git_children import EVERYTHING, GitWork, commit
from tests.support.repositories import (
    EXECUTABLE,
    LINK,
    SUBMODULE,
    Entry,
    GitRepository,
    apply_patch,
    make_repository,
    run_git,
)

FILES: Mapping[bytes, bytes | Entry] = {
    b"a.py": b"one\r\ntwo",
    b"run.sh": Entry(b"#!/bin/sh\n", EXECUTABLE),
    b"deep/er/b.bin": b"\0\1\2" * 50,
    b"not-utf8-\xff.py": b"one\n",
    b"with space/\xc3\xa9.py": b"one\n",
    b"link": Entry(b"deep/er/b.bin", LINK),
    b"deep/up": Entry(b"../a.py", LINK),
    b"module": Entry(b"1" * 40, SUBMODULE),
}


class Bench(Struct, frozen=True):
    repository: RepositoryProcess
    folder: Path
    tree: WorkTree

    async def collect(self, limits: WorkTreeLimits | None = None) -> tuple[FileChange, ...]:
        return await self.repository.collect(self.folder, limits=limits or WorkTreeLimits())


@pytest.fixture
def source(tmp_path: Path) -> GitRepository:
    return make_repository(tmp_path / "source", FILES)


@asynccontextmanager
async def written(git_work: GitWork, source: GitRepository, tmp_path: Path) -> AsyncGenerator[Bench]:
    async with git_work.open(source.path) as repository:
        await repository.checkout()
        folder = tmp_path / "tree"
        folder.mkdir()
        yield Bench(repository, folder, await repository.materialise(folder))


def git(folder: Path, *arguments: str) -> str:
    return run_git(folder, *arguments).decode()


async def test_files_are_written_with_their_bytes_and_modes(
    git_work: GitWork, source: GitRepository, tmp_path: Path
) -> None:
    async with written(git_work, source, tmp_path) as bench:
        changes = await bench.collect()

    root = bench.folder
    assert changes == ()
    assert (bench.tree.files, bench.tree.left_out) == (len(FILES), ())
    for path, content in FILES.items():
        at = root / os.fsdecode(path)
        match content:
            case bytes():
                assert (at.read_bytes(), at.stat().st_mode & 0o777) == (content, 0o644)
            case Entry(mode=mode) if mode == EXECUTABLE:
                assert at.stat().st_mode & 0o777 == 0o755
            case Entry(mode=mode) if mode == LINK:
                assert os.fsencode(at.readlink()) == content.content
            case Entry():
                assert not list(at.iterdir())


async def test_the_folder_is_a_repository_without_a_past(
    git_work: GitWork, source: GitRepository, tmp_path: Path
) -> None:
    async with written(git_work, source, tmp_path) as bench:
        assert git(bench.folder, "rev-parse", "--show-toplevel").strip() == str(bench.folder)
        assert "deep/er/b.bin" in git(bench.folder, "ls-files").splitlines()
        assert git(bench.folder, "diff", "--name-only") == ""
        assert git(bench.folder, "remote") == ""
        assert not [hook for hook in (bench.folder / ".git/hooks").iterdir() if hook.suffix != ".sample"]


@pytest.mark.parametrize(
    "target", [b"/etc/passwd", b"../../x", b"..", b"deep/../../x", b"a/../b", b".git/config", b"x/.GIT"]
)
async def test_a_link_that_leaves_is_neither_written_nor_taken_for_deleted(
    git_work: GitWork, tmp_path: Path, target: bytes
) -> None:
    source = make_repository(tmp_path / "source", {b"a": b"one\n", b"link": Entry(target, LINK)})

    async with written(git_work, source, tmp_path) as bench:
        assert not (bench.folder / "link").is_symlink()
        assert [left.path for left in bench.tree.left_out] == ["link"]
        assert await bench.collect() == ()


async def test_what_a_command_did_is_committed(git_work: GitWork, source: GitRepository, tmp_path: Path) -> None:
    async with written(git_work, source, tmp_path) as bench:
        tree = bench.folder
        (tree / "a.py").write_bytes(b"ONE\r\ntwo")
        (tree / "run.sh").chmod(0o644)
        (tree / "deep/er/b.bin").rename(tree / "deep/moved.bin")
        (tree / "deep/er").rmdir()
        (tree / "deep/up").unlink()
        (tree / "new/folder").mkdir(parents=True)
        (tree / "new/folder/tool").write_bytes(b"#!/bin/sh\n")
        (tree / "new/folder/tool").chmod(0o700)
        (tree / "new/link").symlink_to("folder/tool")
        changes = await bench.collect()
        patch = await commit(bench.repository, {})

    assert changes == (
        FileChange(path="a.py", kind=ChangeKind.CHANGED, mode=0o100644),
        FileChange(path="deep/moved.bin", kind=ChangeKind.RENAMED, mode=0o100644, old_path="deep/er/b.bin"),
        FileChange(path="deep/up", kind=ChangeKind.DELETED),
        FileChange(path="new/folder/tool", kind=ChangeKind.CREATED, mode=0o100755),
        FileChange(path="new/link", kind=ChangeKind.CREATED, mode=0o120000),
        FileChange(path="run.sh", kind=ChangeKind.CHANGED, mode=0o100644),
    )
    expected = {**FILES, b"a.py": b"ONE\r\ntwo", b"run.sh": b"#!/bin/sh\n"}
    expected |= {b"deep/moved.bin": FILES[b"deep/er/b.bin"], b"new/link": Entry(b"folder/tool", LINK)}
    expected |= {b"new/folder/tool": Entry(b"#!/bin/sh\n", EXECUTABLE)}
    del expected[b"deep/er/b.bin"], expected[b"deep/up"]
    wanted = make_repository(tmp_path / "wanted", expected)
    applied = apply_patch(source, patch.base_commit, patch.patch, tmp_path / "applied")
    assert applied == wanted.resolve("main^{tree}")


async def test_a_folder_takes_the_place_of_a_file_and_the_other_way_round(git_work: GitWork, tmp_path: Path) -> None:
    source = make_repository(tmp_path / "source", {"a": b"one\n", "b/x": b"two\n", "b/y/z": b"three\n", "b.": b"4\n"})

    async with written(git_work, source, tmp_path) as bench:
        (bench.folder / "a").unlink()
        (bench.folder / "a").mkdir()
        (bench.folder / "a/deeper").write_bytes(b"one\n")
        for path in ("b/y/z", "b/x"):
            (bench.folder / path).unlink()
        (bench.folder / "b/y").rmdir()
        (bench.folder / "b").rmdir()
        (bench.folder / "b").write_bytes(b"file\n")
        await bench.collect()
        patch = await commit(bench.repository, {})

    wanted = make_repository(tmp_path / "wanted", {"a/deeper": b"one\n", "b": b"file\n", "b.": b"4\n"})
    applied = apply_patch(source, patch.base_commit, patch.patch, tmp_path / "applied")
    assert applied == wanted.resolve("main^{tree}")


async def test_what_is_ignored_stays_where_it_is(git_work: GitWork, tmp_path: Path) -> None:
    source = make_repository(
        tmp_path / "source",
        {".gitignore": b"*.log\n/build/\n[\n", "sub/.gitignore": b"!kept.log\n", "build/tracked": b"one\n"},
    )

    async with written(git_work, source, tmp_path) as bench:
        for path in ("x.log", "build/output", "sub/other.log", "sub/kept.log", "sub/build/x", "node_modules/m/i.js"):
            (bench.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (bench.folder / path).write_bytes(b"made\n")
        cache = bench.folder / ".some_cache"
        cache.mkdir()
        (cache / ".gitignore").write_bytes(b"*\n")
        (bench.folder / "build/tracked").write_bytes(b"changed\n")
        os.mkfifo(bench.folder / "build/pipe")
        changes = await bench.collect()

    assert [(change.path, change.kind) for change in changes] == [
        ("build/tracked", ChangeKind.CHANGED),
        ("sub/build/x", ChangeKind.CREATED),
        ("sub/kept.log", ChangeKind.CREATED),
    ]


async def test_edits_are_in_the_next_work_tree_and_its_changes_in_the_next_scope(
    git_work: GitWork, source: GitRepository, tmp_path: Path
) -> None:
    async with written(git_work, source, tmp_path) as bench:
        await bench.repository.scope(EVERYTHING)
        await bench.repository.stage({"a.py": b"staged\n"})
        for name, base, content in (("second", False, b"staged\n"), ("third", True, FILES[b"a.py"])):
            folder = tmp_path / name
            folder.mkdir()
            await bench.repository.materialise(folder, base=base)
            assert (folder / "a.py").read_bytes() == content
        (tmp_path / "second/new.py").write_bytes(b"new\n")
        (change,) = await bench.repository.collect(tmp_path / "second")
        scope = await bench.repository.scope(EVERYTHING)
        contents = {file.path: await bench.repository.read_file(file.path) for file in scope.candidates}
        patch = await commit(bench.repository, {})

    assert change.kind is ChangeKind.CREATED
    assert (contents["a.py"], contents["new.py"]) == (b"staged\n", b"new\n")
    assert patch.files_changed == 2


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (WorkTreeLimits(changed_files=2), "more than 2 files"),
        (WorkTreeLimits(changed_bytes=10), "more than 10 bytes were changed"),
        (WorkTreeLimits(changed_file_bytes=4), "'new0' cannot be taken: it has 5 bytes"),
        (WorkTreeLimits(scanned=3), "more than 3 files are in the work tree"),
    ],
)
async def test_changes_have_bounds(
    git_work: GitWork, source: GitRepository, tmp_path: Path, limits: WorkTreeLimits, message: str
) -> None:
    async with written(git_work, source, tmp_path) as bench:
        for number in range(3):
            (bench.folder / f"new{number}").write_bytes(b"0123\n" if number == 0 else b"012")
        with pytest.raises(JobFailed, match=message) as caught:
            await bench.collect(limits)
        assert len(await bench.collect()) == 3

    assert caught.value.code == FailureCode.CODEMOD_FAILED


@pytest.mark.parametrize("limits", [WorkTreeLimits(files=3), WorkTreeLimits(bytes=20)])
async def test_a_repository_that_is_too_large_for_commands_is_not_written(
    git_work: GitWork, source: GitRepository, tmp_path: Path, limits: WorkTreeLimits
) -> None:
    async with git_work.open(source.path) as repository:
        await repository.checkout()
        with pytest.raises(JobFailed) as caught:
            await repository.materialise(tmp_path / "tree", limits=limits)

    assert caught.value.code == FailureCode.REPOSITORY_TOO_LARGE

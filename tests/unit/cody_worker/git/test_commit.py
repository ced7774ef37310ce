"""Bytes in, bytes out: whatever a repository holds, a commit changes what was edited and nothing else."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from cody_worker.git.scope import NotACandidate
from tests.support.git_children import EVERYTHING, GitWork, commit, commit_if_changed
from tests.support.repositories import (
    EXECUTABLE,
    LINK,
    SUBMODULE,
    Entry,
    GitRepository,
    apply_patch,
    clone,
    make_repository,
    run_git,
    snapshot,
)

EDITABLE: Mapping[bytes, bytes | Entry] = {
    b"lf.py": b"one\ntwo\n",
    b"crlf.py": b"one\r\ntwo\r\n",
    b"mixed.py": b"one\r\ntwo\nthree\r",
    b"bom.py": b"\xef\xbb\xbfone\n",
    b"utf16le.txt": "one\r\n".encode("utf-16"),
    b"utf16be.txt": b"\xfe\xff" + "one\n".encode("utf-16-be"),
    b"latin1.txt": b"caf\xe9\n",
    b"no_final_newline.py": b"one\ntwo",
    b"run.sh": Entry(b"#!/bin/sh\n", EXECUTABLE),
    b"deep/er/file.py": b"one\n",
    b"with space.py": b"one\n",
    b" leading and trailing ": b"one\n",
    b'quote"and\\backslash.py': b"one\n",
    b"tab\tand\nline break.py": b"one\n",
    "accents/é-ü-日本.py".encode(): b"one\n",
    b"-dash.py": b"one\n",
}
LEFT: Mapping[bytes, bytes | Entry] = {
    b"empty.py": b"",
    b"binary.dat": b"\0\1\2" * 50,
    b"large.txt": b"0123456789abcdef" * 131_072,
    b"not-utf8-\xff\xfe.py": b"one\n",
    b"deep/not-utf8-\xff.py": b"one\n",
    b"link": Entry(b"lf.py", LINK),
    b"deep/passwd": Entry(b"/etc/passwd", LINK),
    b"module": Entry(b"1" * 40, SUBMODULE),
    b".gitattributes": b"lf.py text\n",
    b".gitmodules": b'[submodule "m"]\n\tpath = module\n\turl = ./m\n',
}
CORPUS = {**EDITABLE, **LEFT}


@pytest.fixture
def corpus(tmp_path: Path) -> GitRepository:
    repository = make_repository(tmp_path / "corpus", CORPUS)
    for file in repository.path.rglob("*"):
        os.utime(file, (1_600_000_000, 1_600_000_000), follow_symlinks=False)
    return repository


def edited(content: bytes | Entry) -> bytes:
    data = content.content if isinstance(content, Entry) else content
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data + data[2:]
    return b"\r" + data + b"more\r\nwithout an end"


def expected(files: Mapping[bytes, bytes | Entry]) -> Mapping[bytes, bytes | Entry]:
    return {
        path: Entry(edited(content), content.mode) if isinstance(content, Entry) else edited(content)
        for path, content in files.items()
    }


async def test_a_patch_gives_exactly_the_edited_files_and_leaves_every_other_byte(
    corpus: GitRepository, git_work: GitWork, tmp_path: Path
) -> None:
    changes = {path.decode(): edited(content) for path, content in EDITABLE.items()}

    patch = await git_work.commit(corpus.path, changes)

    wanted = make_repository(tmp_path / "wanted", {**CORPUS, **expected(EDITABLE)})
    assert apply_patch(corpus, patch.base_commit, patch.patch, tmp_path / "applied") == wanted.resolve("main^{tree}")
    assert patch.files_changed == len(EDITABLE)
    assert patch.base_commit == corpus.resolve("main")


async def test_every_single_file_of_the_corpus_can_be_edited_alone(
    corpus: GitRepository, git_work: GitWork, tmp_path: Path
) -> None:
    fresh = clone(corpus, tmp_path / "fresh")
    async with git_work.open(corpus.path) as repository:
        await repository.checkout()
        for number, (path, content) in enumerate(EDITABLE.items()):
            await repository.scope(EVERYTHING)
            patch = await commit(repository, {path.decode(): edited(content)})
            fresh.git("apply", "--index", stdin=patch.patch)
            applied = fresh.line("write-tree")
            fresh.git("reset", "--quiet", "--hard")
            corpus.git("branch", f"wanted{number}", patch.base_commit)
            corpus.commit(expected({path: content}), branch=f"wanted{number}")
            assert applied == corpus.resolve(f"wanted{number}^{{tree}}"), path


async def test_the_source_is_not_touched_even_where_an_edit_brings_back_what_it_knows(
    corpus: GitRepository, git_work: GitWork
) -> None:
    before = snapshot(corpus.path)

    await git_work.commit(corpus.path, {"lf.py": b"one\r\ntwo\r\n", "bom.py": b"caf\xe9\n"})

    assert snapshot(corpus.path) == before


async def test_loose_objects_of_the_source_are_not_touched_either(git_work: GitWork, tmp_path: Path) -> None:
    source = make_repository(tmp_path / "loose", {"a": b"one\n", "b": b"two\n"}, bare=False)
    source.git("unpack-objects", "-q", stdin=source.git("pack-objects", "-q", "--stdout", "--all"))
    for file in source.path.rglob("*"):
        os.utime(file, (1_600_000_000, 1_600_000_000))
    before = snapshot(source.path)

    await git_work.commit(source.path, {"a": b"two\n"})

    assert snapshot(source.path) == before


async def test_the_same_edits_give_the_same_commit_and_the_same_patch(corpus: GitRepository, git_work: GitWork) -> None:
    changes = {"lf.py": b"new\n", "run.sh": b"new\n"}

    first = await git_work.commit(corpus.path, changes)
    second = await git_work.commit(corpus.path, dict(reversed(changes.items())))

    assert first == second


async def test_a_commit_is_one_that_git_itself_accepts(corpus: GitRepository, git_work: GitWork) -> None:
    async with git_work.open(corpus.path) as repository:
        await repository.checkout()
        await repository.scope(EVERYTHING)
        patch = await commit(repository, {"lf.py": b"new\n"})
        (scratch,) = git_work.scratch.glob("cody-git-*")
        run_git(scratch, "config", "gc.auto", "0")
        (scratch / "objects" / "info" / "alternates").write_text(str(corpus.path / "objects"))
        shown = run_git(scratch, "log", "-1", "--format=%H|%P|%an <%ae>|%cI|%B", "cody/job-1").decode()
        run_git(scratch, "fsck", "--strict", "--no-dangling")

    assert shown.strip() == (
        f"{patch.commit}|{patch.base_commit}|Cody <cody@x>|2026-01-02T03:04:05+00:00|Use less\n\nCody-Batch-Job: job-1"
    )


async def test_a_patch_counts_files_and_lines(corpus: GitRepository, git_work: GitWork) -> None:
    patch = await git_work.commit(corpus.path, {"lf.py": b"one\nthree\nfour\n", "run.sh": b"#!/bin/sh\nls\n"})

    assert (patch.files_changed, patch.lines_added, patch.lines_removed) == (2, 3, 1)


async def test_full_ids_stand_in_a_patch(corpus: GitRepository, git_work: GitWork) -> None:
    patch = await git_work.commit(corpus.path, {"lf.py": b"new\n"})

    old = corpus.resolve("main:lf.py").encode()
    assert b"index " + old + b".." in patch.patch


@pytest.mark.parametrize("path", ["new.py", "link", "empty.py", "../outside", "/etc/passwd", ".git/config", ""])
async def test_what_is_no_candidate_is_neither_read_nor_written(
    corpus: GitRepository, git_work: GitWork, path: str
) -> None:
    async with git_work.open(corpus.path) as repository:
        await repository.checkout()
        await repository.scope(EVERYTHING)
        with pytest.raises(NotACandidate):
            await repository.read_file(path)
        with pytest.raises(NotACandidate):
            await commit(repository, {"lf.py": b"new\n", path: b"x"})
        assert (await commit(repository, {"run.sh": b"new\n"})).files_changed == 1


async def test_changes_that_change_nothing_are_no_commit(corpus: GitRepository, git_work: GitWork) -> None:
    async with git_work.open(corpus.path) as repository:
        await repository.checkout()
        await repository.scope(EVERYTHING)
        assert await commit_if_changed(repository, {"lf.py": b"one\ntwo\n"}) is None


async def test_more_changes_than_fit_one_message_are_one_commit(git_work: GitWork, tmp_path: Path) -> None:
    files = {f"f{number}": b"%d\n" % number for number in range(10)}
    source = make_repository(tmp_path / "source", files)
    changes = {path: b"x" * 1_000_000 + content for path, content in files.items()}

    patch = await git_work.commit(source.path, changes)

    applied = apply_patch(source, patch.base_commit, patch.patch, tmp_path / "applied")
    assert applied == source.resolve(source.commit(changes, branch="wanted") + "^{tree}")

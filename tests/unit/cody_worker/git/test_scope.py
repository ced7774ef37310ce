from pathlib import Path

import pytest

from cody_jobs.errors import JobFailed
from cody_jobs.models import FileCounts
from cody_worker.git.scope import Candidate, ScopeRules
from tests.support.git_children import GitWork
from tests.support.repositories import EXECUTABLE, LINK, SUBMODULE, Entry, GitRepository, make_repository

FILES: dict[bytes, bytes | Entry] = {
    b"a.py": b"import os\r\nprint(1)\r\n",
    b"b.py": Entry(b"import sys\n", EXECUTABLE),
    b"tests/test_a.py": b"import os\n",
    b"docs/a.md": b"# import os\n",
    b"utf16.py": "import os\n".encode("utf-16"),
    b"empty.py": b"",
    b"large.py": b"x = 1\n" * 50_000,
    b"binary.py": b"import os\0",
    b"link.py": Entry(b"a.py", LINK),
    b"module.py": Entry(b"1" * 40, SUBMODULE),
    b"vendor/v.py": b"import os\n",
    b"api_pb2.py": b"import os\n",
    b"made.py": b"# @generated\nimport os\n",
    b"broken.py": b"\xff\xfeo",
    b"pointer.py": b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 1\n",
    b"caf\xe9.py": b"import os\n",
}
SKIPPED = {
    "binary": 1,
    "empty": 1,
    "encoding": 1,
    "generated": 2,
    "lfs_pointer": 1,
    "not_utf8_path": 1,
    "submodule": 1,
    "symlink": 1,
    "too_large": 1,
    "vendored": 1,
}


@pytest.fixture
def source(tmp_path: Path) -> GitRepository:
    return make_repository(tmp_path / "source", FILES)


async def test_every_file_is_a_candidate_or_counted_by_the_reason_why_not(
    source: GitRepository, git_work: GitWork
) -> None:
    scope = await git_work.scope(source.path)

    assert [file.path for file in scope.candidates] == ["a.py", "b.py", "docs/a.md", "tests/test_a.py", "utf16.py"]
    assert scope.counts == FileCounts(examined=len(FILES), candidates=5, skipped=SKIPPED)


async def test_a_candidate_tells_what_git_knows_of_it(source: GitRepository, git_work: GitWork) -> None:
    scope = await git_work.scope(source.path, ScopeRules(include=("b.py",)))

    blob = source.resolve("main:b.py")
    assert scope.candidates == (Candidate(path="b.py", blob_id=blob, size=11, mode=0o100755),)


@pytest.mark.parametrize(
    ("include", "exclude", "paths"),
    [
        (("*.md",), (), ["docs/a.md"]),
        (("/*.py",), (), ["a.py", "b.py", "utf16.py"]),
        (("docs/", "tests/"), (), ["docs/a.md", "tests/test_a.py"]),
        (("**/test_*.py",), (), ["tests/test_a.py"]),
        ((), ("*.py",), ["docs/a.md"]),
        (("*.py",), ("tests/", "utf16.py"), ["a.py", "b.py"]),
        (("*.py", "!b.py"), ("utf16.py",), ["a.py", "tests/test_a.py"]),
        (("nothing",), (), []),
        (("vendor/v.py", "api_pb2.py"), (), []),
    ],
)
async def test_patterns_choose_as_gitignore_does(
    source: GitRepository, git_work: GitWork, include: tuple[str, ...], exclude: tuple[str, ...], paths: list[str]
) -> None:
    scope = await git_work.scope(source.path, ScopeRules(include=include, exclude=exclude))

    assert [file.path for file in scope.candidates] == paths


async def test_only_files_that_the_patterns_chose_are_examined_or_skipped(
    source: GitRepository, git_work: GitWork
) -> None:
    scope = await git_work.scope(source.path, ScopeRules(include=("docs/", "vendor/")))

    assert scope.counts == FileCounts(examined=2, candidates=1, skipped={"vendored": 1})


async def test_a_file_without_the_match_is_no_candidate_and_was_not_skipped(
    source: GitRepository, git_work: GitWork
) -> None:
    scope = await git_work.scope(source.path, ScopeRules(include=("*.py",), match=r"(?m)^import os$"))

    assert [file.path for file in scope.candidates] == ["a.py", "tests/test_a.py", "utf16.py"]
    assert scope.counts == FileCounts(examined=15, candidates=3, skipped=SKIPPED)


async def test_the_size_limit_is_the_rules(source: GitRepository, git_work: GitWork) -> None:
    scope = await git_work.scope(source.path, ScopeRules(include=("a.py", "large.py"), max_file_bytes=300_000))

    assert [file.path for file in scope.candidates] == ["a.py", "large.py"]


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        (ScopeRules(match="("), "`match` is not a regular expression"),
        (ScopeRules(include=("!",)), "a pattern of `include` or `exclude` is wrong"),
        (ScopeRules(exclude=("[z-a]",)), "a pattern of `include` or `exclude` is wrong"),
    ],
)
async def test_a_rule_that_cannot_be_read_is_named(
    source: GitRepository, git_work: GitWork, rules: ScopeRules, message: str
) -> None:
    with pytest.raises(JobFailed, match=message):
        await git_work.scope(source.path, rules)


async def test_a_candidate_is_read_as_it_is(source: GitRepository, git_work: GitWork) -> None:
    async with git_work.open(source.path) as repository:
        await repository.checkout()
        await repository.scope(ScopeRules())
        assert await repository.read_file("a.py") == FILES[b"a.py"]
        assert await repository.read_file("utf16.py") == FILES[b"utf16.py"]

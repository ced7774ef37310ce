"""What a plan chooses in a repository, which repositories it leaves alone, and what it finds again in the result."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from cody_jobs.errors import JobFailed
from cody_jobs.models import FileCounts
from cody_jobs.plan import Plan, Precondition
from cody_jobs.reports import REMAINING_SHOWN, Remaining, RemainingLine
from cody_worker.git.scope import ScopeRules
from tests.support.git_children import GitWork
from tests.support.repositories import Entry, make_repository

FILES: dict[bytes, bytes | Entry] = {
    b"a.py": b"import os\nold(1)\n    old(2)\n",
    b"b.py": b"import os\r\n  old(3)\r\n",
    b"c.pyi": b"def old(x): ...\n",
    b"docs/a.md": b"call old(1)\n",
    b"poetry.lock": b"old = 2\n",
}


@pytest.mark.parametrize(
    ("plan", "found"),
    [
        (Plan(), {"a.py": 0, "b.py": 0, "c.pyi": 0, "docs/a.md": 0}),
        (Plan(include=("*.py",)), {"a.py": 0, "b.py": 0}),
        (Plan(languages=("python",)), {"a.py": 0, "b.py": 0, "c.pyi": 0}),
        (Plan(languages=("python", "markdown"), exclude=("c.*",)), {"a.py": 0, "b.py": 0, "docs/a.md": 0}),
        (Plan(matches=(r"\bold\(",)), {"a.py": 2, "b.py": 1, "c.pyi": 1, "docs/a.md": 1}),
        (Plan(matches=(r"^\s+old\(\d\)$",)), {"a.py": 1, "b.py": 1}),
        (Plan(matches=("import", "old", r"\bold")), {"a.py": 3, "b.py": 2, "c.pyi": 1, "docs/a.md": 1}),
        (Plan(matches=("nowhere",)), {}),
    ],
)
async def test_a_plan_chooses_candidates_and_counts_its_matches(
    tmp_path: Path, git_work: GitWork, plan: Plan, found: Mapping[str, int]
) -> None:
    scope = await git_work.scope(make_repository(tmp_path / "source", FILES).path, ScopeRules(plan=plan))

    assert {file.path: file.matches for file in scope.candidates} == found


async def test_the_jobs_own_rules_narrow_the_plan(tmp_path: Path, git_work: GitWork) -> None:
    plan = Plan(include=("*.py", "*.md"), exclude=("b.py",), matches=("old",))
    rules = ScopeRules(plan=plan, include=("*.py", "*.pyi"), match=r"old\(2")
    scope = await git_work.scope(make_repository(tmp_path / "source", FILES).path, rules)

    assert [file.path for file in scope.candidates] == ["a.py"]
    assert scope.counts == FileCounts(examined=1, candidates=1)


@pytest.mark.parametrize(
    ("precondition", "left_alone"),
    [
        (Precondition(reason="why", paths=("poetry.lock",)), True),
        (Precondition(reason="why", paths=("/docs/",), pattern=r"^call old"), True),
        (Precondition(reason="why", paths=("/docs/",), pattern="import"), False),
        (Precondition(reason="why", paths=("setup.py",)), False),
        (Precondition(reason="why", paths=("setup.py",), missing=True), True),
        (Precondition(reason="why", paths=("*.py",), pattern="import os", missing=True), False),
    ],
)
async def test_a_repository_that_the_plan_leaves_alone_is_not_examined(
    tmp_path: Path, git_work: GitWork, precondition: Precondition, *, left_alone: bool
) -> None:
    never = Precondition(reason="never", paths=("nothing",))
    rules = ScopeRules(plan=Plan(leave_alone=(never, precondition)))
    scope = await git_work.scope(make_repository(tmp_path / "source", FILES).path, rules)

    assert scope.left_alone == ("why" if left_alone else None)
    assert (scope.candidates == ()) is left_alone


async def test_what_remains_is_told_by_line_with_what_is_staged(tmp_path: Path, git_work: GitWork) -> None:
    source = make_repository(tmp_path / "source", FILES)
    rules = ScopeRules(plan=Plan(languages=("python",), remaining=(r"\bold\(", r"^\s+old")), exclude=("*.pyi",))
    async with git_work.open(source.path) as repository:
        await repository.checkout()
        await repository.scope(rules)
        before = await repository.find_remaining(rules)
        await repository.stage({"a.py": b"import os\nnew(1)\n    old(2)  " + b"x" * 300 + b"\n"})
        after = await repository.find_remaining(rules)

    assert [(line.path, line.line, line.text) for line in before.lines] == [
        ("a.py", 2, "old(1)"), ("a.py", 3, "old(2)"), ("b.py", 2, "old(3)"),
    ]  # fmt: skip
    assert (after.total, [(line.path, line.line) for line in after.lines]) == (2, [("a.py", 3), ("b.py", 2)])
    assert len(after.lines[0].text) == 200


async def test_of_much_that_remains_the_beginning_is_told_and_all_is_counted(tmp_path: Path, git_work: GitWork) -> None:
    source = make_repository(tmp_path / "source", {b"a.txt": b"old\n" * 500})
    rules = ScopeRules(plan=Plan(remaining=("old",)))
    async with git_work.open(source.path) as repository:
        await repository.checkout()
        await repository.scope(rules)
        remaining = await repository.find_remaining(rules)

    assert (remaining.total, len(remaining.lines)) == (500, REMAINING_SHOWN)
    assert remaining.lines[-1] == RemainingLine(path="a.txt", line=REMAINING_SHOWN, text="old")


async def test_nothing_remains_of_what_is_not_there(tmp_path: Path, git_work: GitWork) -> None:
    source = make_repository(tmp_path / "source", FILES)
    rules = ScopeRules(plan=Plan(remaining=("nowhere",)))
    async with git_work.open(source.path) as repository:
        await repository.checkout()
        await repository.scope(rules)
        assert await repository.find_remaining(rules) == Remaining()


async def test_an_expression_without_end_is_stopped_and_named(tmp_path: Path, git_work: GitWork) -> None:
    source = make_repository(tmp_path / "source", {b"a.txt": b"a" * 40 + b"!\n"})
    rules = ScopeRules(plan=Plan(matches=("(a+)+$",)))
    with pytest.raises(JobFailed, match="an expression of the plan"):
        await git_work.scope(source.path, rules, git_work.limits(seconds=2))

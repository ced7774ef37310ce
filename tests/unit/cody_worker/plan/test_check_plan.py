"""Plans that cannot be carried out, or would cost too much, are found out before any repository is opened."""

import pytest
from msgspec.structs import replace

from cody_jobs.plan import LANGUAGES, Example, Plan, Precondition
from cody_worker.plan.check_plan import check_plan
from cody_worker.plan.try_expressions import try_expressions
from cody_worker.syntax import Language

GOOD = Plan(
    include=("*.py", "/src/**", "!/src/old/"),
    exclude=("tests/",),
    languages=("python",),
    matches=(r"\bOptional\[", r"from\s+typing\s+import\s+\([^)]*\bOptional\b", r"^import .*typing.*$"),
    leave_alone=(Precondition(reason="old", paths=("setup.cfg",), pattern=r"python_requires\s*=\s*>=3\.[0-9]$"),),
    change="Optional[X] becomes X | None.",
    example=Example(before="Optional[int]", after="int | None"),
    remaining=(r"\bOptional\[",),
)


async def test_a_good_plan_has_no_problems() -> None:
    assert await check_plan(GOOD) is None


@pytest.mark.parametrize(
    ("plan", "told"),
    [
        (Plan(), "chooses every file"),
        (Plan(include=("*",)), "chooses every file"),
        (Plan(include=("*.py", "**/*")), "chooses every file"),
        (replace(GOOD, include=("[z-a]*",)), "include: the pattern '[z-a]*' cannot be read"),
        (replace(GOOD, include=("/",)), "matches nothing"),
        (replace(GOOD, exclude=("../x",)), "exclude: the pattern '../x' matches nothing"),
        (replace(GOOD, languages=("python", "cobol")), "there is no 'cobol'"),
        (replace(GOOD, matches=("",)), "matches: '' matches in every text"),
        (replace(GOOD, matches=(".",)), "matches: '.' matches in every text"),
        (replace(GOOD, matches=("old(",)), "is not a regular expression"),
        (replace(GOOD, remaining=(r"(\w+\s?)+$",)), "remaining: '(\\\\w+\\\\s?)+$' takes far too long"),
        (replace(GOOD, matches=(r"[\s\S]*old[\s\S]*new",)), "takes far too long"),
        (replace(GOOD, matches=("x" * 2_001,)), "at most 200 entries of at most 2000"),
        (replace(GOOD, change="x" * 10_001), "at most 10000 characters"),
        (replace(GOOD, leave_alone=(Precondition(reason="", paths=("a",)),)), "needs a reason"),
        (replace(GOOD, leave_alone=(Precondition(reason="r", paths=("a",), pattern="("),)), "leave_alone: '('"),
    ],
)
async def test_what_is_wrong_is_told(plan: Plan, told: str) -> None:
    problems = await check_plan(plan)
    assert problems is not None
    assert told in "\n".join(problems.found)


async def test_each_expression_is_judged_alone() -> None:
    told = await try_expressions(["a", "b(", "(x+x+)+y", r"c\d"])
    assert [wrong is None for wrong in told] == [True, False, False, True]


def test_a_plan_may_name_every_language_that_files_are_told_apart_by() -> None:
    assert frozenset(Language) == LANGUAGES

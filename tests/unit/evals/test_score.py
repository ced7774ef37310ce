"""A score says which files are right, and cannot be deceived by one that is merely different."""

import pytest
from msgspec.structs import replace

from evals.__main__ import main
from evals.migration import Files, Migration, each_file
from evals.score import Verdict, judge

_BEFORE = {"a.py": b"old\n", "b.py": b"old\n", "c.txt": b"old\n", "vendor/d.py": b"other\n"}
_MIGRATION = Migration(
    name="old-to-new",
    hard="nothing",
    prompt="old becomes new",
    repositories=lambda: {"one": _BEFORE},
    oracle=each_file(lambda data: data.replace(b"old", b"new"), ".py"),
    good=lambda _, text: text.replace("old", "new"),
    changes=2,
    skipped=("vendor/*",),
)
_RIGHT: Files = {**_BEFORE, "a.py": b"new\n", "b.py": b"new\n"}


def test_all_right_is_perfect() -> None:
    verdict = verdict_on(_RIGHT)
    assert verdict == Verdict(files=4, to_change=2, right=2, missed=(), wrong=(), asked=())
    assert verdict.is_perfect


def test_a_file_that_should_have_changed_is_missed() -> None:
    verdict = verdict_on({**_RIGHT, "b.py": b"old\n"})
    assert (verdict.right, verdict.missed, verdict.wrong) == (1, ("one: b.py",), ())


def test_a_file_that_is_anything_else_is_wrong() -> None:
    others = {**_RIGHT, "a.py": b"new", "c.txt": b"new\n", "made.py": b"\n"}
    del others["vendor/d.py"]
    verdict = verdict_on(others)
    assert (verdict.right, verdict.missed) == (1, ())
    assert verdict.wrong == ("one: a.py", "one: c.txt", "one: made.py", "one: vendor/d.py")
    assert not verdict.is_perfect


def test_a_question_about_a_file_that_nobody_may_ask_about_is_told() -> None:
    verdict = verdict_on(_RIGHT, "a.py", "vendor/d.py")
    assert verdict.asked == ("one: vendor/d.py",)
    assert not verdict.is_perfect


def test_several_repositories_are_judged_together() -> None:
    two = replace(_MIGRATION, repositories=lambda: {"one": _BEFORE, "two": _BEFORE})
    verdict = judge(two, {"one": _RIGHT, "two": _BEFORE}, {"one": [], "two": []})
    assert (verdict.files, verdict.to_change, verdict.right) == (8, 4, 2)
    assert verdict.missed == ("two: a.py", "two: b.py")


def test_a_real_evaluation_without_a_key_says_what_to_set(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--real"], {}) == 2
    assert "CLAUDE_API_KEY" in capsys.readouterr().err


def verdict_on(after: Files, *asked: str) -> Verdict:
    return judge(_MIGRATION, {"one": after}, {"one": asked})

"""Patterns that the worker could not use are refused before the job is accepted."""

import re
import warnings

import pathspec
import pytest

from cody_api.check_scope import check_patterns, wrong_with_pattern

USABLE = [
    "*.py", "**/*.py", "src/", "/setup.py", "!tests/", "a//b", "a b", " x", "[ab].py", "[!a]*", "[]]", "[]-]",
    r"\#name", r"\!name", r"a\[b", r"a\\", "[[:alpha:]]*", "[[:digit:]a-f]", "{a,b}", "..x", "a..b/c", "ümlaut/*",
]  # fmt: skip
USELESS = [
    "", " ", "!", "/", "//", "!/", "#comment", "../x", "a/../b", "./x", "a\\", "\\", "[", "a[b", "[]", "[!]",
    "[z-a]", "[[:alpha:]z-a]", "a\nb", "a\x00b", "x" * 501,
]  # fmt: skip


@pytest.mark.parametrize("pattern", USABLE)
def test_a_usable_pattern_is_taken_and_the_worker_can_use_it(pattern: str) -> None:
    assert wrong_with_pattern(pattern) is None
    assert _compiled(pattern) is not None


@pytest.mark.parametrize("pattern", USELESS)
def test_a_pattern_that_fails_or_can_match_nothing_is_refused(pattern: str) -> None:
    assert wrong_with_pattern(pattern)


@pytest.mark.parametrize("pattern", USABLE + USELESS)
def test_whatever_the_worker_would_choke_on_is_refused(pattern: str) -> None:
    try:
        _compiled(pattern)
    except (ValueError, re.error):
        assert wrong_with_pattern(pattern)


def test_a_wrong_pattern_is_named_with_its_place() -> None:
    (problem,) = check_patterns("include", ["*.py", "[", "*.md"])
    assert (problem.field, problem.code, problem.value) == ("include[1]", "bad_pattern", "[")


def test_there_is_a_limit_to_patterns() -> None:
    assert check_patterns("exclude", ["x"] * 200) == []
    assert [problem.code for problem in check_patterns("exclude", ["x"] * 201)] == ["too_many_patterns"]


def _compiled(pattern: str) -> bool | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (compiled,) = pathspec.GitIgnoreSpec.from_lines([pattern]).patterns
    return compiled.include

"""A change that the plan's example does not explain."""

from cody_jobs.models import JobType
from cody_worker.guards import GuardName, GuardRules
from cody_worker.guards.change_too_large import FREE_LINES, TIMES_EXAMPLE
from tests.unit.cody_worker.guards.changes import found

_LINES = [f"call_{number}()\n" for number in range(400)]
_EXAMPLE = ("old(a)\nother\n", "new(a)\nother\n")


def _rules(example: tuple[str, str] | None = _EXAMPLE, matches: int | None = 2) -> GuardRules:
    return GuardRules(job_type=JobType.CODE_PATTERN_UPDATE, prompt="", example=example, matches=matches)


def _changed(number: int) -> str:
    return "".join([*(f"new_{line}" for line in _LINES[:number]), *_LINES[number:]])


def test_more_lines_than_the_matches_explain_are_found() -> None:
    most = 2 * TIMES_EXAMPLE + FREE_LINES
    assert found(GuardName.CHANGE_TOO_LARGE, "a.rb", "".join(_LINES), _changed(most), _rules()) == []
    (finding,) = found(GuardName.CHANGE_TOO_LARGE, "a.rb", "".join(_LINES), _changed(most + 1), _rules())
    assert f"at most {most}" in finding.message


def test_a_large_example_and_many_matches_explain_a_large_change() -> None:
    example = ("a\n" * 30, "b\n" * 30)
    assert found(GuardName.CHANGE_TOO_LARGE, "a.rb", "".join(_LINES), _changed(200), _rules(example)) == []
    assert found(GuardName.CHANGE_TOO_LARGE, "a.rb", "".join(_LINES), _changed(200), _rules(matches=60)) == []


def test_deleted_lines_count() -> None:
    assert found(GuardName.CHANGE_TOO_LARGE, "a.rb", "".join(_LINES), "".join(_LINES[:100]), _rules())


def test_nothing_is_known_without_an_example_or_of_a_new_file() -> None:
    for rules in (_rules(example=None), _rules(matches=None)):
        assert found(GuardName.CHANGE_TOO_LARGE, "a.rb", "".join(_LINES), _changed(400), rules) == []
    assert found(GuardName.CHANGE_TOO_LARGE, "a.rb", None, _changed(400), _rules()) == []

"""Reformatting that nobody asked for."""

import pytest

from cody_worker.guards import GuardName
from tests.unit.cody_worker.guards.changes import found, rules_of

_BEFORE = "def f(a):\n    if a:\n        g(a)\n        h(a)\n    return a\n\n\ndef k():\n    return 1\n"


@pytest.mark.parametrize(
    "after",
    [
        _BEFORE.replace("\n", "\r\n"),
        _BEFORE.replace("    ", "\t"),
        _BEFORE.replace("    ", "  "),
        _BEFORE.replace("\n", " \n"),
        _BEFORE.replace("f(a)", "f( a )"),
        _BEFORE.replace("\n", "\r\n").replace("return 1", "return 2"),
        _BEFORE.replace("\n\n\n", "\n"),
        _BEFORE.removesuffix("\n"),
        _BEFORE.removesuffix("\n").replace("f(a)", "f(b)"),
        _BEFORE + "\n\n",
    ],
)
def test_a_change_that_is_mostly_white_space_is_found(after: str) -> None:
    (finding,) = found(GuardName.WHITESPACE_CHURN, "a.rb", _BEFORE, after)
    assert finding.line


@pytest.mark.parametrize(
    "after",
    [
        _BEFORE.replace("return 1", "return 2"),
        _BEFORE.replace("    if a:\n        g(a)\n        h(a)\n", "    g(a)\n    h(a)\n"),
        _BEFORE.replace("        g(a)\n        h(a)\n", "        with b:\n            g(a)\n            h(a)\n"),
        _BEFORE.replace("        h(a)\n", ""),
        _BEFORE.replace("def k", "\ndef j():\n    return 2\n\n\ndef k"),
        _BEFORE.replace("g(a)", "g(b)").replace("f(a)", "f( a )"),
        "",
    ],
)
def test_a_real_change_with_its_indentation_is_left_in_peace(after: str) -> None:
    assert found(GuardName.WHITESPACE_CHURN, "a.rb", _BEFORE, after) == []


def test_a_block_that_was_put_into_another_is_no_churn() -> None:
    body = "".join(f"    call_{number}()\n" for number in range(50))
    before, after = f"def f():\n{body}", f"def f():\n    with a:\n{body.replace('    ', '        ')}"
    assert found(GuardName.WHITESPACE_CHURN, "a.py", before, after) == []
    both = after.replace("\n", "\r\n")
    assert found(GuardName.WHITESPACE_CHURN, "a.py", before, both)


def test_whoever_asks_for_formatting_gets_it() -> None:
    after = _BEFORE.replace("    ", "\t")
    for prompt in ("Indent by tabs.", "Convert line endings to CRLF", "Remove trailing white space", "Run gofmt"):
        assert found(GuardName.WHITESPACE_CHURN, "a.rb", _BEFORE, after, rules_of(prompt)) == []


def test_a_new_file_has_no_churn() -> None:
    assert found(GuardName.WHITESPACE_CHURN, "a.rb", None, _BEFORE) == []
    assert found(GuardName.WHITESPACE_CHURN, "a.rb", _BEFORE, None) == []

"""Reformatting that nobody asked for."""

import pytest

from cody_worker.guards import GuardName
from tests.unit.cody_worker.guards.changes import found, rules_of

_BEFORE = "def f(a):\n    if a:\n        g(a)\n        h(a)\n    return a\n\n\ndef k():\n    return 1\n"

_LONG = "".join(
    f"def f{number}(a):\n    a = {number}\n    if a:\n        g(a)\n    return a\n\n\n" for number in range(8)
)


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
        _LONG.replace("1", "2", 1).replace("\n\n", "\n\n\n"),
        _LONG.replace("1", "2", 1).replace("\n\n\n", "\n\n"),
        _LONG.replace("return", "yield").replace("):\n", "):\n\n"),
        _LONG.replace("a = ", "b = ").replace("):\n", "): \n"),
        _LONG.replace("a = ", "b = ").replace("    if", "  if").replace("    return", "  return"),
        _LONG.replace("a = ", "b = ").replace("g(a)\n", "g(a)\r\n"),
        "\n\n\n\n" + _LONG.replace("\n\n\n", "\n\n\n\n"),
    ],
)
def test_a_change_that_is_mostly_white_space_is_found(after: str) -> None:
    before = _BEFORE if after.count("\n") < 20 else _LONG
    (finding,) = found(GuardName.WHITESPACE_CHURN, "a.rb", before, after)
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
        _BEFORE.replace("def k():\n    return 1\n", ""),
        _BEFORE.replace("    if a:\n        g(a)\n", "    if a:\n\n        g(a)\n").replace("return a", "return b"),
        "def k():\n    return 1\n\n\n" + _BEFORE.replace("\n\ndef k():\n    return 1\n", ""),
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


def test_functions_that_come_and_go_bring_and_take_their_blank_lines() -> None:
    functions = [f"def f{number}(a):\n    return a + {number}\n" for number in range(30)]
    before, fewer = "\n\n".join(functions), "\n\n".join(functions[::3])
    assert found(GuardName.WHITESPACE_CHURN, "a.py", before, fewer) == []
    assert found(GuardName.WHITESPACE_CHURN, "a.py", fewer, before) == []


def test_lines_in_another_order_are_a_real_change() -> None:
    imports = [f"import a{number}\n" for number in range(9)]
    before, after = "".join(imports) + "\n" + _LONG, "".join(reversed(imports)) + "\n\n" + _LONG
    assert found(GuardName.WHITESPACE_CHURN, "a.py", before, after) == []


def test_a_long_text_within_a_block_keeps_its_indentation() -> None:
    text = "".join(f"row {number}\n" for number in range(20))
    body = f"    first()\n    second()\n    third()\n    x = '''\n{text}'''\n    f()\n    g()\n    h()\n    i()\n"
    wrapped = "".join(f"    {line}" if line.startswith(" ") else line for line in body.splitlines(keepends=True))
    assert found(GuardName.WHITESPACE_CHURN, "a.py", f"def f():\n{body}", f"def f():\n    with a:\n{wrapped}") == []


@pytest.mark.parametrize("prompt", ["Rename g. Keep the indentation.", "Rename g, and do not change line endings."])
def test_whoever_asks_for_the_layout_to_stay_does_not_ask_for_another(prompt: str) -> None:
    after = _BEFORE.replace("    ", "\t")
    assert found(GuardName.WHITESPACE_CHURN, "a.rb", _BEFORE, after, rules_of(prompt))

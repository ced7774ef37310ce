"""Another style that nobody asked for."""

import pytest

from cody_jobs.models import JobType
from cody_worker.guards import GuardName, GuardRules
from tests.unit.cody_worker.guards.changes import found, rules_of

_PYTHON = "import foo\n" + "".join(
    f"\n\ndef step_{number}(a):\n    if (a):\n        return foo(a['k{number}'], 'w', a)\n    return {{\n"
    f"        'b': {number}\n    }}\n"
    for number in range(6)
)
_SCRIPT = "const foo = require('foo');\n" + "".join(
    f"\nfunction step{number}(a) {{\n  a.b = 'k{number}';\n  a.c = (b) => 'x' + b;\n  return a\n}}\n"
    for number in range(6)
)


def _real(text: str) -> str:
    return text.replace("foo", "bar", 1)


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        ("a.py", _PYTHON, _PYTHON.replace("'", '"')),
        ("a.py", _PYTHON, _real(_PYTHON).replace("'", '"')),
        ("a.py", _PYTHON, _real(_PYTHON).replace("if (a)", "if a")),
        ("a.py", _PYTHON, _real(_PYTHON).replace("], 'w'", '],  "w"')),
        ("a.py", _PYTHON, _real(_PYTHON).replace("\n    }", ",\n    }")),
        ("a.js", _SCRIPT, _real(_SCRIPT).replace("'", '"')),
        ("a.js", _SCRIPT, _real(_SCRIPT).replace("'", "`")),
        ("a.js", _SCRIPT, _real(_SCRIPT).replace(";\n", "\n")),
        ("a.js", _SCRIPT, _real(_SCRIPT).replace("return a\n", "return a;\n")),
        ("a.js", _SCRIPT, _real(_SCRIPT).replace("return a\n", "return (a);\n")),
        ("a.rb", _SCRIPT, _real(_SCRIPT).replace("'", '"')),
        ("a.yaml", _SCRIPT, _real(_SCRIPT).replace("'", '"')),
        ("a.java", _SCRIPT, _real(_SCRIPT).replace(";\n", "\n")),
    ],
)
def test_another_style_beside_the_change_is_found(path: str, before: str, after: str) -> None:
    (finding,) = found(GuardName.RESTYLED_CODE, path, before, after)
    assert finding.line


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        ("a.py", _PYTHON, _PYTHON.replace("foo", "bar")),
        ("a.py", _PYTHON, _PYTHON.replace("'w'", "'r'")),
        ("a.py", _PYTHON, _real(_PYTHON).replace("'k1'", '"k1"')),
        ("a.py", _PYTHON, _PYTHON.replace("foo(a['k", 'bar(a["k').replace("'],", '"],')),
        ("a.py", "print a\n" * 20, "print(a)\n" * 20),
        ("a.py", "x = a, b\n" * 20, "x = (a, b), c\n" * 20),
        ("a.py", "x = a,\n" * 20 + "y = f(a)\n" * 20, "x = a, 1\n" * 20 + "y = f(a, 1)\n" * 20),
        ("a.json", '{\n  "a": 1\n}\n', '{\n  "a": 1,\n  "b": 2\n}\n'),
        ("a.ts", "f({\n  a\n});\n" * 20, "f({\n  a,\n  b\n});\n" * 20),
        ("a.ts", "f({\n  a,\n  b\n});\n" * 20, "f({\n  a\n});\n" * 20),
        ("A.java", 'i = s.indexOf("a");\n' * 20, "i = s.indexOf('a');\n" * 20),
        ("a.sh", "echo '$a'\n" * 20, 'echo "$a"\n' * 20),
        ("a.go", 's := "a"\n' * 20, "s := 'a'\n" * 20),
    ],
)
def test_a_change_of_what_is_meant_is_left_in_peace(path: str, before: str, after: str) -> None:
    assert before != after
    assert found(GuardName.RESTYLED_CODE, path, before, after) == []


def test_many_lines_of_another_style_are_found_beside_any_number_of_changes() -> None:
    before = "x = foo()\n" * 200 + "".join(f"y{number} = 'b'\n" for number in range(15))
    assert found(GuardName.RESTYLED_CODE, "a.py", before, before.replace("foo", "bar").replace("'", '"'))


@pytest.mark.parametrize(
    "prompt",
    [
        "Use double quotes.",
        "Run black over it.",
        "Replace single-quoted strings.",
        "Rename foo and keep the layout; all strings get quotes of one kind.",
    ],
)
def test_whoever_asks_for_a_style_gets_it(prompt: str) -> None:
    after = _PYTHON.replace("'", '"')
    assert found(GuardName.RESTYLED_CODE, "a.py", _PYTHON, after, rules_of(prompt)) == []
    rules = GuardRules(job_type=JobType.CODE_PATTERN_UPDATE, prompt="Do as planned.", plan=prompt)
    assert found(GuardName.RESTYLED_CODE, "a.py", _PYTHON, after, rules) == []


@pytest.mark.parametrize(
    "prompt",
    [
        "Rename foo. Keep the quotes as they are.",
        "Rename foo, but do not change formatting or quotes.",
        "Rename foo and leave the quotes alone.",
    ],
)
def test_whoever_asks_for_the_style_to_stay_does_not_ask_for_another(prompt: str) -> None:
    assert found(GuardName.RESTYLED_CODE, "a.py", _PYTHON, _PYTHON.replace("'", '"'), rules_of(prompt))


def test_a_style_that_the_example_of_the_plan_shows_is_asked_for() -> None:
    after = _PYTHON.replace("'", '"')
    shown, other = ("a = 'b'\n", 'a = "b"\n'), ("a = foo('b')\n", 'a = bar("b")\n')
    for example, number in ((shown, 0), (other, 1)):
        rules = GuardRules(job_type=JobType.CODE_PATTERN_UPDATE, prompt="", example=example)
        assert len(found(GuardName.RESTYLED_CODE, "a.py", _PYTHON, after, rules)) == number

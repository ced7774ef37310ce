"""All guards over one change: what they say together, and that nothing in a file can hold them up."""

import time

import pytest

from cody_jobs.models import JobType
from cody_worker.guards import GuardName, GuardRules
from cody_worker.guards.finding import MOST_FINDINGS_OF_A_GUARD
from tests.unit.cody_worker.guards.changes import findings, rules_of

_HONEST = {
    "tests/test_f.py": (
        "import unittest\n\n\nclass T(unittest.TestCase):\n    def test_a(self):\n        self.assertEquals(f(), 1)\n",
        ("assertEquals", "assertEqual"),
    ),
    "src/a.py": (
        "from typing import Optional\n\n\ndef f(a: Optional[int]) -> int: ...\n",
        ("Optional[int]", "int | None"),
    ),
    "src/a.ts": (
        "import a from 'a';\n\nexport const f = ({ b, ...rest }) => a(b, rest);\n",
        ("a(b, rest)", "a(b, { ...rest })"),
    ),
    "Dockerfile": ("FROM python:3.11\nRUN pip install a\n", ("3.11", "3.12")),
    "pom.xml": (
        '<project xmlns="http://maven.apache.org/POM/4.0.0">\n  <version>1</version>\n</project>\n',
        ("<version>1", "<version>2"),
    ),
    "package.json": ('{\n  "dependencies": {\n    "a": "^1.0.0"\n  }\n}\n', ("^1.0.0", "^2.0.0")),
    "README.md": ("# A\n\nCall `f(...)` for the rest.\n", ("f(...)", "g(...)")),
    "a.yaml": ("a: 1\n---\nb: 2\n...\n", ("b: 2", "b: 3")),
}


@pytest.mark.parametrize("path", _HONEST)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_an_honest_change_is_left_in_peace(path: str, encoding: str, end: str) -> None:
    text, (old, new) = _HONEST[path]
    before = text.replace("\n", end)
    assert old in before
    assert findings(path, before.encode(encoding), before.replace(old, new).encode(encoding)) == []


def test_nothing_is_said_of_no_change() -> None:
    same = "x = (  # ... rest of the code ...\u202e\n"
    assert findings("a.py", same, same) == []
    assert findings("a.sh", "echo a\n", "echo a\n", modes=(0o100644, 0o100755)) == []


def test_the_line_of_a_new_syntax_error_is_named() -> None:
    for path, before in (("a.py", "x = 1\ny = 2\n"), ("a.toml", "x = 1\ny = 2\n"), ("a.rb", "x = 1\ny = 2\n")):
        (finding,) = findings(path, before, before.replace("2", "= ="))
        assert finding.guard is GuardName.SYNTAX_ERRORS
        assert finding.line == 2
        assert findings(path, before.replace("2", "= ="), before.replace("2", "= = 1")) == []


def test_what_is_wrong_is_told_path_first_and_all_at_once() -> None:
    after = "x = (\n# ... rest of the code ...\nurl = 'https://evil.dev'\n"
    told = [finding.guard for finding in findings(".github/workflows/a.py", "x = 1\n", after)]
    assert told == [
        GuardName.PROTECTED_PATH,
        GuardName.SYNTAX_ERRORS,
        GuardName.CODE_ELIDED,
        GuardName.NEW_URL,
    ]


def test_a_guard_does_not_say_more_than_anybody_reads() -> None:
    after = "".join(f"# ... rest of the code {number} ...\n# ... existing code ...\n" for number in range(100))
    assert len(findings("a.rb", "a\n", after)) == MOST_FINDINGS_OF_A_GUARD


def test_what_is_quoted_is_cut_and_has_no_control_characters() -> None:
    told = findings("A.java", "class A { }\n", "class A { \x1b[31m" + "x " * 5_000 + "\n")
    assert told
    assert all(len(finding.message) < 300 and finding.message.isprintable() for finding in told)


def test_a_made_and_a_deleted_file_are_changes() -> None:
    assert findings("src/a.py", None, "x = 1\n") == []
    assert findings("src/a.py", "x = 1\n", None) == []
    assert findings("src/a.py", None, "") == []
    assert findings("src/a.py", None, "x = (\n") != []


def test_other_encodings_are_read() -> None:
    before = 'class A { String s = "\u00f6"; }\r\n'
    after = before.replace("s =", "t =").replace("}", "} // ... rest of the code ...")
    for encoding in ("utf-16", "latin-1"):
        (finding,) = findings("A.java", before.encode(encoding), after.encode(encoding))
        assert finding.guard is GuardName.CODE_ELIDED


_SIZE = 40_000
_HOSTILE: dict[str, bytes] = {
    "parentheses": b"(" * _SIZE,
    "generics": b"a<" * (_SIZE // 2),
    "one word": b"a" * _SIZE,
    "one digit": b"1" * _SIZE,
    "dots": b"." * _SIZE,
    "dotted": b"a." * (_SIZE // 2),
    "spaces": b" " * _SIZE + b"x",
    "tabs": b"\t" * _SIZE + b"x",
    "dashes": b"-" * _SIZE,
    "slashes": b"/" * _SIZE,
    "quotes": b"\"'`" * (_SIZE // 3),
    "comments": b"/* # // <!-- " * (_SIZE // 13),
    "rest of": b"# ... the rest of the rest of the " * (_SIZE // 34),
    "remarks": b"# ... the same as it was is are all as before here\n" * (_SIZE // 51),
    "asserts": b"assert a == a or assert( expect( " * (_SIZE // 33),
    "assert lines": b"assert a, \n" * (_SIZE // 11),
    "tests": b"def test_a():\n" * (_SIZE // 14),
    "it": b"it.each.each.only( " * (_SIZE // 19),
    "annotations": b"@Test\n" * (_SIZE // 6),
    "names": b"password_token_secret_" * (_SIZE // 22),
    "assigned": b"password = = : password :" * (_SIZE // 25),
    "web tokens": b"eyJ" * (_SIZE // 3),
    "web tokens with dots": b"eyJaaaaaaaaaaaa." * (_SIZE // 16),
    "keys": b"-----BEGIN A A A " * (_SIZE // 17),
    "urls": b"://a.b:" * (_SIZE // 7),
    "url": b"://" + b"a" * _SIZE,
    "fields": b"://" + b"{" * _SIZE,
    "many hosts": b"".join(b"https://h%d.dev/\n" % number for number in range(_SIZE // 16)),
    "hidden": "\u202e".encode() * (_SIZE // 3),
    "joiners": "\u4f60\u200d".encode() * (_SIZE // 6),
    "invalid": bytes(range(1, 256)) * (_SIZE // 255),
    "lines": b"\n" * _SIZE,
    "carriage returns": b"\r" * _SIZE,
    "short lines": b"".join(b"%d\n" % number for number in range(_SIZE // 6)),
    "same lines": b" a\n" * (_SIZE // 3),
    "utf-16": b"\xff\xfe" + "a (".encode("utf-16-le") * (_SIZE // 6),
}
_NAMES = (
    "a_test.py",
    "a.test.ts",
    "README.md",
    "package.json",
    "pom.xml",
    "go.mod",
    "build.gradle",
    "requirements.txt",
)
_CPU_SECONDS = 8.0
"""Each parse may take one; what grows with the square of such a file takes minutes."""


@pytest.mark.parametrize("hostile", _HOSTILE)
def test_a_hostile_file_holds_nothing_up(hostile: str) -> None:
    data = _HOSTILE[hostile]
    path = _NAMES[sum(hostile.encode()) % len(_NAMES)]
    start = time.thread_time()
    findings(path, b"x\n" + data[:1_000], data, rules=_RULES)
    findings(path, data, b" " + data.replace(b"\n", b" \n")[:-1], rules=_RULES)
    assert time.thread_time() - start < _CPU_SECONDS


_RULES = GuardRules(job_type=JobType.DEPENDENCY_UPDATE, prompt="a " * 10_000, example=("a\n", "b\n"), matches=1)


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("requirements.txt", "package-{}\n"),
        ("go.mod", "require evil.dev/a{} v1.0.0\n"),
        ("Gemfile", 'gem "a{}"\n'),
        ("build.gradle", "api 'org.a:b{}:1'\n"),
        ("Cargo.toml", "[dependencies.a{}]\n"),
    ],
)
def test_ten_thousand_new_packages_hold_nothing_up(path: str, line: str) -> None:
    after = "".join(line.format(number) for number in range(10_000))
    start = time.thread_time()
    told = findings(path, "# none\n", after, rules=rules_of("a " * 10_000, JobType.DEPENDENCY_UPDATE))
    assert time.thread_time() - start < _CPU_SECONDS
    assert len([finding for finding in told if finding.guard is GuardName.NEW_DEPENDENCY]) == MOST_FINDINGS_OF_A_GUARD


def test_a_protected_path_that_is_long_holds_nothing_up() -> None:
    start = time.thread_time()
    for path in ("a/" * 2_000 + "a", ".github/" * 500 + "a", "*" * 255):
        findings(path, "a\n", "b\n")
    assert time.thread_time() - start < _CPU_SECONDS

"""Parsers as judges: they break nothing, run nothing, and only judge what parsed before."""

import asyncio
import warnings
from pathlib import Path

import pytest

from cody_worker.syntax import broken_syntax


@pytest.mark.parametrize(
    ("path", "good", "bad"),
    [
        ("a.py", b"x = 1\n", b"def f(:\n"),
        ("a.pyi", b"x: int\n", b"x: = 1\n"),
        ("a.PY", b"x = 1\n", b"x = = 1\n"),
        ("b.py", b"def f():\n    return 1\n", b"return 1\n"),
        ("a.json", b'{"a": [1, 2.5, null]}', b'{"a": [1,]}'),
        ("a.toml", b'a = "1"\n', b"a = \n"),
        ("a.yaml", b"a: [1, 2]\nb: &x 1\n---\nc: *x\n", b"a: [1, 2\n"),
        ("a.yml", b"a: 1\n", b"a: 1\n b: 2\n"),
    ],
)
def test_a_file_that_parsed_and_does_not_any_more_is_broken(path: str, good: bytes, bad: bytes) -> None:
    assert broken_syntax(path, good, good) is None
    assert broken_syntax(path, good, bad)
    assert broken_syntax(path, bad, bad) is None
    assert broken_syntax(path, bad, good) is None


def test_the_error_says_where() -> None:
    assert "line 2" in (broken_syntax("a.py", b"", b"x = 1\ny = = 2\n") or "")
    assert "line 2" in (broken_syntax("a.yaml", b"a: 1\n", b"a: 1\nb: ]\n") or "")


def test_files_of_kinds_that_we_do_not_know_are_not_judged() -> None:
    assert broken_syntax("a.adb", b"X : Integer;", b"X : : {") is None
    assert broken_syntax("Makefile", b"a:", b"::::") is None
    assert broken_syntax("a.md", b"# A", b"](") is None


def test_a_declared_encoding_and_a_mark_are_no_errors() -> None:
    latin = "# -*- coding: latin-1 -*-\nx = 'ö'\n".encode("latin-1")
    assert broken_syntax("a.py", latin, latin.replace(b"x", b"y")) is None
    assert broken_syntax("a.py", b"\xef\xbb\xbfx = 1\r\n", b"\xef\xbb\xbfy = 1\r\n") is None
    assert broken_syntax("a.json", b"\xef\xbb\xbf{}", b"\xef\xbb\xbf[]") is None
    assert broken_syntax("a.toml", b"a = 1", b"\xff = 1")


def test_nothing_of_the_file_is_run(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    code = f"import pathlib\npathlib.Path({str(mark)!r}).touch()\n".encode()
    assert broken_syntax("a.py", b"", code) is None
    assert broken_syntax("a.yaml", b"a: 1", b"a: !!python/object/apply:os.abort []\n") is None
    assert not mark.exists()


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("a.py", b"(" * 5_000 + b")" * 5_000),
        ("a.py", b"x = " + b"-" * 100_000 + b"1"),
        ("a.py", b"x = " + b"[" * 150 + b"]" * 150),
        ("a.py", b"x = 1" + b"+1" * 50_000),
        ("a.json", b"[" * 200_000),
        ("a.json", b"1" * 100_000),
        ("a.toml", b"a = " + b"[" * 50_000),
        ("a.yaml", b"[" * 1_000_000),
        ("a.yaml", b"a: &a [x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n"),
        ("a.py", b"x = 1\0"),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{value[:8]!r} x {len(value)}",
)
async def test_hostile_nesting_ends_and_harms_nobody(path: str, data: bytes) -> None:
    await asyncio.to_thread(broken_syntax, path, b"", data)


def test_warnings_of_the_file_are_silent_and_all_others_stay() -> None:
    odd = b"x = '\\d'\nassert (1, 'always')\ny = 1 is 1\n"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert broken_syntax("a.py", b"", odd) is None
        with pytest.raises(DeprecationWarning):
            warnings.warn("still heard", DeprecationWarning, stacklevel=1)

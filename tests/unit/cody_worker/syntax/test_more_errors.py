"""Files of many languages: an edit may not bring syntax errors that were not there."""

import time

import pytest

from cody_worker.syntax import broken_syntax

_CASES = {
    "a.sh": (b"if true; then\n  echo a\nfi\n", b"if true; then\n  echo a\n"),
    "a.c": (b"int f(void) {\n  return 1;\n}\n", b"int f(void) {\n  return 1;\n"),
    "a.cs": (b"class A {\n  int F() { return 1; }\n}\n", b"class A {\n  int F() { return 1; \n}\n"),
    "a.cpp": (b"template <class T> T f(T x) { return x; }\n", b"template <class T> T f(T x { return x; }\n"),
    "a.h": (b"class A { int x; };\n", b"class A { int x; \n"),
    "a.css": (b"a { color: red; }\n", b"a { color: red; \n"),
    "Dockerfile": (b"FROM a:1\nRUN echo a\n", b"FROM a:1\nRAN echo a\n"),
    "a.go": (b"package a\n\nfunc f() int { return 1 }\n", b"package a\n\nfunc f() int { return 1 \n"),
    "a.gradle": (b"plugins {\n  id 'java'\n}\n", b"plugins {\n  id 'java'\n"),
    "a.tf": (b'resource "a" "b" {\n  c = 1\n}\n', b'resource "a" "b" {\n  c = \n}\n'),
    "a.html": (b"<p>a</p>\n", b"<p a</p>\n"),
    "A.java": (b"class A { int f() { return 1; } }\n", b"class A { int f() { return 1 } }\n"),
    "a.js": (b"const f = (a) => ({ ...a });\n", b"const f = (a) => ({ ...a );\n"),
    "a.jsx": (b"const a = <p>{b}</p>;\n", b"const a = <p>{b</p>;\n"),
    "a.json": (b'{"a": 1}\n', b'{"a": 1,,}\n'),
    "a.kt": (b"fun f(a: Int): Int = a\n", b"fun f(a: Int: Int = a\n"),
    "a.php": (b"<?php\nfunction f($a) { return $a; }\n", b"<?php\nfunction f($a) { return $a; \n"),
    "a.py": (b"def f():\n    return 1\n", b"def f(:\n    return 1\n"),
    "a.rb": (b"def f(a)\n  a\nend\n", b"def f(a)\n  a\n"),
    "a.rs": (b"fn f(a: i32) -> i32 { a }\n", b"fn f(a: i32) -> i32 { a \n"),
    "a.scala": (b"object A { def f(a: Int): Int = a }\n", b"object A { def f(a: Int: Int = a }\n"),
    "a.sql": (b"SELECT a FROM b WHERE c = 1;\n", b"SELECT a FROM (b WHERE c = 1;\n"),
    "a.swift": (b"func f(a: Int) -> Int { return a }\n", b"func f(a: Int -> Int { return a }\n"),
    "a.toml": (b"a = 1\n", b"a = = 1\n"),
    "a.ts": (b"const f = (a: number): number => a;\n", b"const f = (a: number: number => a;\n"),
    "a.tsx": (b"const a = (b: string) => <p>{b}</p>;\n", b"const a = (b: string) => <p>{b</p>;\n"),
    "a.xml": (b"<a><b/></a>\n", b"<a><b></a>\n"),
    "a.yaml": (b"a: [1]\n", b"a: [1\n"),
}


@pytest.mark.parametrize("path", _CASES)
def test_an_error_that_is_new_is_found_and_one_that_was_there_is_not(path: str) -> None:
    good, bad = _CASES[path]
    found = broken_syntax(path, good, bad)
    assert found is not None
    assert "line" in found
    assert broken_syntax(path, None, good) is None
    assert broken_syntax(path, good, good + b"\n") is None
    assert broken_syntax(path, bad, bad) is None
    assert broken_syntax(path, bad, good) is None


@pytest.mark.parametrize("path", ["A.java", "a.go", "a.js", "a.py", "a.rs", "a.rb", "a.ts", "a.yaml"])
def test_a_file_that_is_made_must_parse(path: str) -> None:
    assert broken_syntax(path, None, _CASES[path][1]) is not None


def test_a_file_that_is_made_is_not_judged_by_a_grammar_that_errs_often() -> None:
    macros = b"static PyModuleDef_Slot slots[] = {\n#ifdef A\n  {1, 2},\n#endif\n  {0, NULL}\n};\nMACRO(a b)\n"
    assert broken_syntax("a.c", None, macros) is None
    assert broken_syntax("a.groovy", None, b"def f(x) {\n  return x\n}\n") is None


def test_the_line_of_the_new_error_is_named_not_that_of_an_old_one() -> None:
    before = b"int a = ;\nint b = 1;\nint c = 2;\n"
    found = broken_syntax("a.c", before, before.replace(b"b = 1", b"b = = 1"))
    assert found is not None
    assert found.startswith("line 2: ")
    assert "int b = = 1;" in found


def test_what_is_missing_is_named() -> None:
    assert "'}' is missing" in (broken_syntax("A.java", b"class A { }", b"class A { ") or "")


def test_a_file_in_another_encoding_is_judged_by_its_text() -> None:
    good = 'class A { String s = "\u00f6"; }\r\n'
    for encoding in ("utf-16", "latin-1", "utf-8-sig"):
        before, after = good.encode(encoding), good.replace("; }", " }").encode(encoding)
        assert broken_syntax("A.java", before, before) is None
        assert broken_syntax("A.java", before, after) is not None


def test_python_that_is_newer_than_our_own_is_not_called_broken() -> None:
    before = b"from typing import TypeVar\nT = TypeVar('T')\ndef f(x: T) -> T:\n    return x\n"
    assert broken_syntax("a.py", before, b"def f[T](x: T) -> T:\n    return x\n") is None
    assert broken_syntax("a.py", before, b"type A = int\n") is None
    assert broken_syntax("a.py", before, b"def f[T](x: T -> T:\n    return x\n") is not None


def test_python_2_may_be_edited_but_not_broken_further() -> None:
    before = b"def f():\n    print 'a'\n"
    assert broken_syntax("a.py", before, before.replace(b"'a'", b"'b'")) is None
    assert broken_syntax("a.py", before, before.replace(b"f()", b"f(")) is not None


def test_json_with_comments_may_stay_so_but_not_break() -> None:
    before = b'{\n  // why\n  "a": 1\n}\n'
    assert broken_syntax("tsconfig.json", before, before.replace(b"1", b"2")) is None
    assert broken_syntax("tsconfig.json", before, before.replace(b"1", b"{")) is not None
    assert broken_syntax("tsconfig.json", None, before) is None
    assert broken_syntax("package.json", None, before) is not None


def test_a_dialect_that_its_grammar_does_not_know_is_left_in_peace() -> None:
    before = b"GRANT USAGE ON SCHEMA a TO PUBLIC;\nSELECT 1;\n"
    assert broken_syntax("a.sql", before, before + before) is None


_HOSTILE = {
    "generics": b"a<" * 125_000,
    "generics in lines": b"a<\n" * 80_000,
    "parentheses": b"(" * 250_000,
    "closed parentheses": b"(" * 100_000 + b")" * 100_000,
    "blocks": b"if(a){" * 40_000,
    "quotes": b"\"\\'" * 80_000,
    "one line": b"a b " * 60_000,
    "all bytes": bytes(range(1, 256)) * 900,
}


@pytest.mark.parametrize("data", _HOSTILE.values(), ids=_HOSTILE)
def test_hostile_text_ends(data: bytes) -> None:
    broken_syntax("A.java", b"", data)


@pytest.mark.parametrize("path", ["a.cs", "a.groovy", "a.swift", "a.kt", "a.ts", "a.rs", "a.scala", "a.cpp"])
def test_what_would_take_all_memory_is_not_parsed(path: str) -> None:
    assert broken_syntax(path, b"", _HOSTILE["generics"]) is None
    assert broken_syntax(path, b"", _HOSTILE["generics in lines"]) is None


def test_a_tree_that_is_very_deep_does_not_take_the_square_of_its_depth() -> None:
    start = time.thread_time()
    assert broken_syntax("a.rb", b"a = 1\n", b"a<" * 80_000) is not None
    assert time.thread_time() - start < 8

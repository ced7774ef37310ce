"""Changes as people and good models make them, on real code: no guard says a word.

The code is that of installed packages, read when the test runs.
"""

import ast
import importlib.util
import random
import re
import tokenize
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from io import StringIO
from pathlib import Path

import pytest

from tests.unit.cody_worker.guards.changes import findings, rules_of

Edit = Callable[[random.Random, str, list[str]], list[str] | None]
"""New lines, None where the file has no place for it."""

_PACKAGES = ("httpx", "litestar", "asyncpg", "structlog", "tenacity", "click", "anyio", "aiohttp", "werkzeug")
_FILES = 60
_LARGEST = 24_000


def _renamed_call(chance: random.Random, text: str, lines: list[str]) -> list[str] | None:
    names = sorted({*re.findall(r"(?<=\.)([a-z]\w{4,})\(", text)} - {"format"})
    if not names:
        return None
    name = chance.choice(names)
    return re.sub(rf"(?<=\.){name}\b", f"{name}_now", text).split("\n")


def _new_parameter(chance: random.Random, text: str, lines: list[str]) -> list[str] | None:
    function = _function(chance, text)
    if function is None or "(self)" not in lines[function.lineno - 1]:
        return None
    at = function.lineno - 1
    return [*lines[:at], lines[at].replace("(self)", "(self, extra_value=None)", 1), *lines[at + 1 :]]


def _wrapped(opening: str) -> Edit:
    def wrap(chance: random.Random, text: str, lines: list[str]) -> list[str] | None:
        function = _function(chance, text)
        if function is None or len(function.body) < 3:
            return None
        first = function.body[1]
        start, end = first.lineno - 1, function.end_lineno or 0
        if lines[start - 1].lstrip().startswith("@"):
            return None
        inside = _texts(text)
        body = [
            f"    {line}" if line and number not in inside else line for number, line in _numbered(lines, start, end)
        ]
        return [*lines[:start], f"{' ' * first.col_offset}{opening}", *body, *lines[end:]]

    return wrap


def _numbered(lines: list[str], start: int, end: int) -> Iterator[tuple[int, str]]:
    return ((number + 1, lines[number]) for number in range(start, end))


def _texts(text: str) -> set[int]:
    """Lines that begin within a string."""
    tokens = tokenize.generate_tokens(StringIO(text).readline)
    strings = (token for token in tokens if token.type == tokenize.STRING or "STRING" in tokenize.tok_name[token.type])
    return {number for token in strings for number in range(token.start[0] + 1, token.end[0] + 1)}


def _unwrapped(chance: random.Random, text: str, lines: list[str]) -> list[str] | None:
    tree = ast.parse(text)
    whole = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.With) and node.lineno == node.items[-1].context_expr.end_lineno
    ]
    if not whole:
        return None
    node = chance.choice(whole)
    start, end, inside = node.lineno, node.end_lineno or 0, _texts(text)
    body = [
        line.removeprefix("    ") if number not in inside else line for number, line in _numbered(lines, start, end)
    ]
    return [*lines[: start - 1], *body, *lines[end:]]


def _new_import(chance: random.Random, text: str, lines: list[str]) -> list[str] | None:
    places = [number for number, line in enumerate(lines) if re.match(r"import \w+$", line)]
    if not places:
        return None
    at = chance.choice(places)
    return [*lines[:at], f"import {chance.choice(('functools', 'itertools', 'decimal'))}", *lines[at:]]


def _without_function(chance: random.Random, text: str, lines: list[str]) -> list[str] | None:
    function = _function(chance, text)
    if function is None or function.col_offset:
        return None
    start = min(node.lineno for node in (function, *function.decorator_list)) - 1
    end = function.end_lineno or 0
    while end < len(lines) - 1 and not lines[end].strip():
        end += 1
    return [*lines[:start], *lines[end:]]


def _new_functions(chance: random.Random, text: str, lines: list[str]) -> list[str] | None:
    new = list(lines)
    tops = [
        node.lineno - 1
        for node in ast.parse(text).body
        if isinstance(node, ast.FunctionDef) and not node.decorator_list
    ]
    for number, at in enumerate(sorted(chance.sample(tops, min(len(tops), 4)), reverse=True)):
        new[at:at] = [f"def added_{number}(value):", f"    return value + {number}", "", ""]
    return new if tops else None


def _other_text(chance: random.Random, text: str, lines: list[str]) -> list[str] | None:
    places = [number for number, line in enumerate(lines) if re.search(r"[\"'][A-Za-z]{3,} ", line)]
    if not places:
        return None
    at = chance.choice(places)
    return [*lines[:at], re.sub(r"([\"'][A-Za-z]{3,}) ", r"\1 other ", lines[at], count=1), *lines[at + 1 :]]


def _moved_function(chance: random.Random, text: str, lines: list[str]) -> list[str] | None:
    """To the end of the file, with its blank lines."""
    function = _function(chance, text)
    if function is None or function.col_offset or function.decorator_list:
        return None
    start, end = function.lineno - 1, function.end_lineno or 0
    if not "".join(lines[end:]).strip():
        return None
    rest = [*lines[:start], *lines[end:]]
    if not "".join(rest[start : start + 2]).strip():
        del rest[start : start + 2]
    return [*rest[:-1], "", "", *lines[start:end], ""]


def _new_optional(chance: random.Random, text: str, lines: list[str]) -> list[str] | None:
    new = re.sub(r"\b(\w+) \| None\b", r"Optional[\1]", text)
    return new.split("\n") if new != text else None


def _early_return(chance: random.Random, text: str, lines: list[str]) -> list[str] | None:
    function = _function(chance, text)
    if function is None or len(function.body) < 3:
        return None
    at, indent = function.body[1].lineno - 1, " " * function.body[1].col_offset
    return [*lines[:at], f"{indent}if {chance.choice(('ready', 'done'))}:", f"{indent}    return None", "", *lines[at:]]


_EDITS: Mapping[str, Edit] = {
    "a call has another name": _renamed_call,
    "a parameter is new": _new_parameter,
    "a body is put into a with": _wrapped("with lock:"),
    "a body is put into an if": _wrapped("if enabled:"),
    "a with is taken away": _unwrapped,
    "an import is new": _new_import,
    "a function is gone": _without_function,
    "functions are new": _new_functions,
    "a text is another": _other_text,
    "a function is elsewhere": _moved_function,
    "types are written differently": _new_optional,
    "a function returns early": _early_return,
}


@pytest.mark.parametrize("what", _EDITS)
def test_an_ordinary_change_of_real_code_is_left_in_peace(what: str) -> None:
    changes = [*_changes(_EDITS[what])]
    assert len(changes) >= 5
    hits = [(path, finding) for path, old, new in changes for finding in findings(path, old, new, rules=rules_of(what))]
    assert hits == []


def _changes(edit: Edit) -> Iterator[tuple[str, str, str]]:
    for path, text in _files().items():
        new = edit(random.Random(path), text, text.split("\n"))
        if new is not None and (after := "\n".join(new)) != text:
            yield path, text, after


@cache
def _files() -> Mapping[str, str]:
    files = [file for package in _PACKAGES for file in _of(package)]
    return {f"src/{file.parent.name}/{file.name}": file.read_text() for file in random.Random(3).sample(files, _FILES)}


def _of(package: str) -> list[Path]:
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.submodule_search_locations is not None
    files = sorted(Path(spec.submodule_search_locations[0]).rglob("*.py"))
    return [file for file in files if 1_000 < file.stat().st_size < _LARGEST]


def _function(chance: random.Random, text: str) -> ast.FunctionDef | None:
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]
    return chance.choice(functions) if functions else None

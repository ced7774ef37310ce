"""The stand-in's migrations, against an oracle that reads Python's tokens instead of characters."""

import importlib.util
import io
import keyword
import random
import tokenize
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from cody_jobs.outcomes import Edit
from cody_stand_ins.claude.migrations import (
    UnknownMigration,
    find_migration,
    load_to_safe_load,
    minimal_edits,
    optional_to_union,
)
from cody_worker.apply_edits import apply_edits
from cody_worker.syntax import broken_syntax

_PACKAGES = (
    "litestar",
    "click",
    "rich",
    "structlog",
    "multidict",
    "openapi_core",
    "requests",
    "urllib3",
    "polyfactory",
)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("x: Optional[int]", "x: int | None"),
        ("def f(a: Optional[str] = None) -> Optional[int]: ...", "def f(a: str | None = None) -> int | None: ..."),
        ("x: Optional[Dict[str, Optional[int]]]", "x: Dict[str, int | None] | None"),
        ("x: List[Optional[ a.b.C ]]", "x: List[a.b.C | None]"),
        ("x: Optional[Callable[[int, str], None]]", "x: Callable[[int, str], None] | None"),
        ("x: Optional[int | str]", "x: int | str | None"),
        ("x: Optional[Optional[int]]", "x: int | None | None"),
        ("Optional[Literal[(1)]]", "Literal[(1)] | None"),
        ("é = Optional[ñ]", "é = ñ | None"),
    ],
)
def test_optional_becomes_a_union(before: str, after: str) -> None:
    assert optional_to_union(before) == after


@pytest.mark.parametrize(
    "text",
    [
        "from typing import Optional",
        "x = 'Optional[int]'  # Optional[int]",
        '"""Optional[int]\n"""',
        "r'\\\\' + 'Optional[int]'",
        "typing.Optional[int]",
        "MyOptional[int]",
        "Optional [int]",
        "Optional['Later']",
        "Optional[\n    int\n]",
        "Optional[int,  # why\n]",
        "Optional[int, str]",
        "Optional[int if a else str]",
        "Optional[not a]",
        "Optional[]",
        "Optional[None]",
        "Optional[int][0]",
        "Optional[int](3)",
        "Optional[int].x",
        "Optional[int",
        "Optional[(int]",
        "Optional[lambda: int]",
    ],
)
def test_what_is_no_plain_optional_stays(text: str) -> None:
    assert optional_to_union(text) == text


def test_inner_occurrences_are_rewritten_where_the_outer_one_stays() -> None:
    assert optional_to_union("Optional[Dict['A', Optional[int]]]") == "Optional[Dict['A', int | None]]"
    assert optional_to_union("Optional[\n  List[Optional[int]]]") == "Optional[\n  List[int | None]]"


def _sources() -> Iterator[Path]:
    for name in _PACKAGES:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.origin is not None:
            yield from sorted(Path(spec.origin).parent.rglob("*.py"))


def _by_tokens(text: str) -> str:
    """The same rule, on tokens: an independent computation for the test."""
    tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    starts = [0, *(at + 1 for at, character in enumerate(text) if character == "\n")]
    changes: list[tuple[int, int, str]] = []
    for number, token in enumerate(tokens[:-1]):
        opened = tokens[number + 1]
        if token.string != "Optional" or opened.string != "[" or opened.start != token.end:
            continue
        if number and tokens[number - 1].string == ".":
            continue
        close = _close(tokens, number + 2)
        if close is not None and _plain(tokens[number + 2 : close]) and tokens[close + 1].string not in {"[", "(", "."}:
            changes.append(_change(text, starts, token, opened, tokens[close]))
    return _apply(text, changes)


def _close(tokens: Sequence[tokenize.TokenInfo], at: int) -> int | None:
    depth = 0
    for number in range(at, len(tokens)):
        string = tokens[number].string
        depth += string in {"(", "[", "{"}
        if string in {")", "]", "}"}:
            if depth == 0:
                return number
            depth -= 1
    return None


def _plain(inside: Sequence[tokenize.TokenInfo]) -> bool:
    kinds = {token.type for token in inside}
    if not inside or kinds & {tokenize.STRING, tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE}:
        return False
    if inside[0].start[0] != inside[-1].end[0] or [token.string for token in inside] == ["None"]:
        return False
    depth = 0
    for token in inside:
        depth -= token.string in {")", "]", "}"}
        bracket = token.string in {"(", "[", "{", ")", "]", "}"}
        is_word = token.type in {tokenize.NAME, tokenize.NUMBER}
        bad_word = keyword.iskeyword(token.string) and token.string != "None"
        if depth == 0 and not bracket and (bad_word or not (is_word or token.string in {".", "|"})):
            return False
        depth += token.string in {"(", "[", "{"}
    return True


def _change(
    text: str, starts: Sequence[int], name: tokenize.TokenInfo, opened: tokenize.TokenInfo, close: tokenize.TokenInfo
) -> tuple[int, int, str]:
    def at(place: tuple[int, int]) -> int:
        return starts[place[0] - 1] + place[1]

    return at(name.start), at(close.end), text[at(opened.end) : at(close.start)]


def _apply(text: str, changes: Sequence[tuple[int, int, str]]) -> str:
    """From the inside out: a later start never contains an earlier one."""
    while changes:
        start, end, inside = changes[-1]
        new = f"{inside.strip()} | None"
        text = text[:start] + new + text[end:]
        shift = len(new) - (end - start)
        changes = [
            (s, e + shift, text[s + len("Optional[") : e + shift - 1]) if s < start < e else (s, e, inner)
            for s, e, inner in changes[:-1]
        ]
    return text


def test_the_rule_gives_what_the_tokens_say_on_real_code() -> None:
    checked = changed = 0
    for path in _sources():
        text = path.read_text(encoding="utf-8").replace("\r\n", "\n")
        if "Optional[" not in text:
            assert optional_to_union(text) == text
            continue
        checked += 1
        after = optional_to_union(text)
        assert after == _by_tokens(text), path
        changed += after != text
        edits = [Edit(old_text=old, new_text=new) for old, new in minimal_edits(text, after)]
        assert apply_edits(text.encode(), edits).decode() == after, path
        assert broken_syntax(path.name, text.encode(), after.encode()) is None, path
    assert checked > 15, "the installed packages have enough of them"
    assert changed > 10


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("yaml.load(f)", "yaml.safe_load(f)"),
        ("x = yaml.load(open(path).read())", "x = yaml.safe_load(open(path).read())"),
        ("yaml.load(f, Loader=yaml.Loader)", "yaml.load(f, Loader=yaml.Loader)"),
        ("yaml.load(*a)", "yaml.load(*a)"),
        ("yaml.load()", "yaml.load()"),
        ("'yaml.load(f)'  # yaml.load(f)", "'yaml.load(f)'  # yaml.load(f)"),
        ("ruamel.yaml.load(f)", "ruamel.yaml.load(f)"),
    ],
)
def test_load_becomes_safe_load(before: str, after: str) -> None:
    assert load_to_safe_load(before) == after


@pytest.mark.parametrize(
    ("task", "path", "before", "after"),
    [
        ("Rewrite Optional[X] to X | None", "a.py", "Optional[int]", "int | None"),
        ("Rewrite Optional[X] to X | None", "a.md", "Optional[int]", "Optional[int]"),
        ("assertEquals is deprecated: use assertEqual", "t.py", "self.assertEquals(1, 1)", "self.assertEqual(1, 1)"),
        ("yaml.load must become yaml.safe_load", "a.py", "yaml.load(f)", "yaml.safe_load(f)"),
        ('Please replace "http://a" with "https://b".', "a.md", "see http://a, http://a", "see https://b, https://b"),
        ("Replace all `old_name` by `new`", "x", "old_name", "new"),
        ("replace 'gone' with ''", "x", "gone!", "!"),
    ],
)
def test_the_task_chooses_the_migration(task: str, path: str, before: str, after: str) -> None:
    assert find_migration(task, path)(before) == after


def test_any_other_task_is_unknown() -> None:
    with pytest.raises(UnknownMigration):
        find_migration("Port this to Rust", "a.py")


def test_edits_are_small_and_each_old_text_is_unique() -> None:
    before = "\n".join(["a = 1", "x", "b = 1", "x", "c = 1", "x", "x"])
    after = "\n".join(["a = 1", "x", "b = 1", "y", "c = 1", "x", "x"])
    assert minimal_edits(before, after) == [("b = 1\nx\nc = 1", "b = 1\ny\nc = 1")]
    assert minimal_edits("a\nb\nc", "a\nB\nc") == [("b", "B")]
    assert minimal_edits("x\nx\nx", "y\ny\ny") == [("x\nx\nx", "y\ny\ny")]
    assert minimal_edits("one", "o\nne") == [("one", "o\nne")]


def test_edits_make_any_text_of_any_other() -> None:
    chance = random.Random(5)
    for _ in range(500):
        before, after = (chance.choices("abc\n", weights=(1, 1, 1, 3), k=chance.randrange(1, 60)) for _ in range(2))
        kept = chance.randrange(len(before))
        old, new = "".join(before), "".join([*before[:kept], *after, *before[kept:][chance.randrange(3) :]])
        edits = [Edit(old_text=one, new_text=other) for one, other in minimal_edits(old, new)]
        assert apply_edits(old.encode(), edits).decode() == new, (old, new)

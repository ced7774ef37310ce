"""The few textual migrations that the stand-in knows. It is no model: each is a rule, chosen by words of the task.

The first that fits the task's text is used:

1. `Optional[` and `| None`: `Optional[X]` becomes `X | None` (see `optional_to_union`), in `.py` and `.pyi` files.
2. `assertEquals` and `assertEqual(` or "assertEqual" as a word: `assertEquals(` becomes `assertEqual(`, everywhere.
3. `yaml.load` and `yaml.safe_load`: `yaml.load(X)` with one argument becomes `yaml.safe_load(X)`.
4. Replace "A" with "B" (or by; quotes may be ", ' or `): A becomes B, everywhere, letter by letter.
"""

import difflib
import keyword
import re
from collections.abc import Callable, Sequence

from msgspec import Struct

Rewrite = Callable[[str], str]
FindRewrite = Callable[[str, str], Rewrite]
"""By the task and the file's path. Raises `UnknownMigration`."""

REPLACE = re.compile(
    r"""replace\s+(?:every\s+|all\s+)?(["'`])(?P<old>.+?)\1\s+(?:with|by)\s+(["'`])(?P<new>.*?)\3""", re.I | re.S
)
_STRING = (
    r"""(?:'''(?:\\.|[^\\])*?(?:'''|\Z)|\"\"\"(?:\\.|[^\\])*?(?:\"\"\"|\Z)|'(?:\\.|[^\\'\n])*'?|"(?:\\.|[^\\"\n])*"?)"""
)
_CODE = re.compile(rf"(?P<other>{_STRING}|\#[^\n]*)|(?<![\w.])Optional\[", re.S)
_YAML = re.compile(rf"(?P<other>{_STRING}|\#[^\n]*)|(?<![\w.])yaml\.load\(", re.S)
_WORD = re.compile(r"[^\W\d]\w*")
_OPEN, _CLOSE = "([{", ")]}"


class UnknownMigration(Exception):
    """The stand-in does not know this migration."""


def find_migration(task: str, path: str) -> Rewrite:
    """Raises `UnknownMigration`."""
    if "Optional[" in task and "| None" in task:
        return optional_to_union if path.endswith((".py", ".pyi")) else _nothing
    if "assertEquals" in task and re.search(r"assertEqual\b", task):
        return lambda text: re.sub(r"\bassertEquals\(", "assertEqual(", text)
    if "yaml.load" in task and "yaml.safe_load" in task:
        return load_to_safe_load
    literal = REPLACE.search(task)
    if literal is None:
        raise UnknownMigration
    old, new = literal["old"], literal["new"]
    return lambda text: text.replace(old, new)


def _nothing(text: str) -> str:
    return text


def optional_to_union(text: str) -> str:
    """`Optional[X]` becomes `X | None`, inner ones first; imports stay as they are.

    An occurrence is the text `Optional[` in code (not in a string or comment), not right after a word character or a
    dot. It is rewritten, from `Optional` to the bracket that closes it, to X without spaces at its ends, with the
    occurrences in X rewritten likewise, and ` | None`. It stays as it is, but for the occurrences inside of it, where

    - X has a quote, a `#`, a backslash or a line break in it, or its brackets do not match;
    - X, with everything in brackets left out, has anything but words, dots, `|` and spaces in it, or has a Python
      keyword other than `None`, or is empty, or is `None`;
    - the next character after it that is no space is one of `[`, `(` and `.`.
    """
    return _rewrite_optionals(text) if "Optional[" in text else text


def _rewrite_optionals(text: str) -> str:
    pieces, done, at = list[str](), 0, 0
    while (found := _CODE.search(text, at)) is not None:
        at = found.end()
        if found["other"] is not None:
            continue
        end = _closing(text, at)
        if end is None or not _is_plain_type(text[at:end]) or text[end + 1 :].lstrip(" ")[:1] in {"[", "(", "."}:
            continue
        pieces += [text[done : found.start()], _rewrite_optionals(text[at:end].strip()), " | None"]
        done = at = end + 1
    return "".join([*pieces, text[done:]])


def _closing(text: str, at: int) -> int | None:
    """Where the bracket closes that was opened just before `at`; None where a string, comment or line end is met."""
    depth = 0
    for place in range(at, len(text)):
        character = text[place]
        if character in "\"'#\\\n\r":
            return None
        if character in _OPEN:
            depth += 1
        elif character in _CLOSE:
            if depth == 0:
                return place if character == "]" else None
            depth -= 1
    return None


def _is_plain_type(given: str) -> bool:
    outside = _outside_of_brackets(given).strip()
    if outside in {"", "None"} or re.search(r"[^\w.| ]", outside):
        return False
    return not any(keyword.iskeyword(word) and word != "None" for word in _WORD.findall(outside))


def _outside_of_brackets(given: str) -> str:
    depth, kept = 0, list[str]()
    for character in given:
        depth -= character in _CLOSE
        if depth == 0 and character not in _OPEN + _CLOSE:
            kept.append(character)
        depth += character in _OPEN
    return "".join(kept)


def load_to_safe_load(text: str) -> str:
    """`yaml.load(X)` in code, where X is one argument on one line, without a string or comment in it."""
    pieces, done, at = list[str](), 0, 0
    while (found := _YAML.search(text, at)) is not None:
        at = found.end()
        if found["other"] is not None:
            continue
        end = _closing_parenthesis(text, at)
        if end is None or not text[at:end].strip() or set("=,*") & set(_outside_of_brackets(text[at:end])):
            continue
        pieces += [text[done : found.start()], "yaml.safe_load("]
        done = at
    return "".join([*pieces, text[done:]])


def _closing_parenthesis(text: str, at: int) -> int | None:
    depth = 0
    for place in range(at, len(text)):
        character = text[place]
        if character in "#\\\n\r":
            return None
        if character in _OPEN:
            depth += 1
        elif character in _CLOSE:
            if depth == 0:
                return place if character == ")" else None
            depth -= 1
    return None


class _Run(Struct, frozen=True):
    """The old lines from `start` to `end` become the new ones from `new_start` to `new_end` (all ends exclusive)."""

    start: int
    end: int
    new_start: int
    new_end: int


def minimal_edits(before: str, after: str) -> list[tuple[str, str]]:
    """Edits (old, new) that make `after` of `before`: each old text occurs exactly once.

    Runs of changed lines grow by neighbouring lines until they are unique; runs that meet become one.
    """
    old, new = before.split("\n"), after.split("\n")
    runs, step = _changed(old, new), 1
    while before:
        runs = _joined(runs)
        grown = [run if _is_unique(before, old, run) else _grown(run, step, old, new) for run in runs]
        if grown == runs:
            return [("\n".join(old[run.start : run.end]), "\n".join(new[run.new_start : run.new_end])) for run in runs]
        runs, step = grown, step * 2
    return []


def _changed(old: Sequence[str], new: Sequence[str]) -> list[_Run]:
    if len(old) == len(new):
        pairs = enumerate(zip(old, new, strict=True))
        return [_Run(number, number + 1, number, number + 1) for number, pair in pairs if pair[0] != pair[1]]
    codes = difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    return [_Run(start, end, first, last) for kind, start, end, first, last in codes if kind != "equal"]


def _is_unique(text: str, lines: Sequence[str], run: _Run) -> bool:
    """Also: it has lines before and after. With none, a line feed would be left over, or missing."""
    sought = "\n".join(lines[run.start : run.end])
    first = text.find(sought)
    return bool(sought) and run.new_start < run.new_end and text.find(sought, first + 1) < 0


def _grown(run: _Run, step: int, old: Sequence[str], new: Sequence[str]) -> _Run:
    return _Run(
        max(0, run.start - step),
        min(len(old), run.end + step),
        max(0, run.new_start - step),
        min(len(new), run.new_end + step),
    )


def _joined(runs: Sequence[_Run]) -> list[_Run]:
    joined: list[_Run] = []
    for run in runs:
        while joined and run.start <= joined[-1].end:
            run = _both(joined.pop(), run)
        joined.append(run)
    return joined


def _both(first: _Run, last: _Run) -> _Run:
    """One that has grown over another has equal lines beyond it, as many of the old as of the new ones."""
    over_start, over_end = max(0, first.start - last.start), max(0, first.end - last.end)
    return _Run(first.start - over_start, last.end + over_end, first.new_start - over_start, last.new_end + over_end)

"""The lines that are new and those that are gone, in time that grows with the file and not with its square."""

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct

from cody_worker.file_text import read_text


class Line(Struct, frozen=True, kw_only=True):
    """`number` counts from 1; `text` is without its line feed, but with its carriage return."""

    number: int
    text: str


class ChangedLines(Struct, frozen=True, kw_only=True):
    """`before` and `after` are whole texts, empty for no file. A line that only moved is neither added nor removed."""

    before: str
    after: str
    added: tuple[Line, ...]
    removed: tuple[Line, ...]


class Pair(Struct, frozen=True, kw_only=True):
    """A line before and after, the same but for what does not matter to whoever paired them."""

    old: Line
    new: Line


def changed_lines(before: bytes | None, after: bytes | None) -> ChangedLines | None:
    """None where one of the two is binary."""
    old, new = _text(before), _text(after)
    return None if old is None or new is None else compare(old, new)


_AROUND = 5
"""Lines that a statement may begin before, or end after, the lines of it that differ."""


def different_part(old: str, new: str) -> tuple[int, str, str]:
    """The lines from the first to the last that differ, of both, with some around; and how many come before them."""
    old_lines, new_lines = _lines(old), _lines(new)
    start = max(_common(old_lines, new_lines) - _AROUND, 0)
    end = max(_common(old_lines[start:][::-1], new_lines[start:][::-1]) - _AROUND, 0)
    old_part, new_part = old_lines[start : len(old_lines) - end], new_lines[start : len(new_lines) - end]
    return start, "\n".join(old_part), "\n".join(new_part)


def pairs_by(key: Callable[[str], str], removed: Iterable[Line], added: Iterable[Line]) -> list[Pair]:
    """In the order of `added`, each line once. What has an empty key has no pair."""
    waiting: defaultdict[str, deque[Line]] = defaultdict(deque)
    for line in removed:
        waiting[key(line.text)].append(line)
    matched = ((line, waiting[key(line.text)]) for line in added if key(line.text))
    return [Pair(old=old.popleft(), new=line) for line, old in matched if old]


def bare(text: str) -> str:
    """A line without any white space."""
    return "".join(text.split())


def compare(old: str, new: str) -> ChangedLines:
    old_lines, new_lines = _lines(old), _lines(new)
    start = _common(old_lines, new_lines)
    end = _common(old_lines[start:][::-1], new_lines[start:][::-1])
    old_middle, new_middle = old_lines[start : len(old_lines) - end], new_lines[start : len(new_lines) - end]
    return ChangedLines(
        before=old,
        after=new,
        added=_surplus(new_middle, old_middle, start),
        removed=_surplus(old_middle, new_middle, start),
    )


def _text(data: bytes | None) -> str | None:
    if data is None:
        return ""
    text = read_text(data)
    return None if text is None else text.source


def _lines(text: str) -> list[str]:
    return text.removesuffix("\n").split("\n") if text else []


def _common(old: Sequence[str], new: Sequence[str]) -> int:
    for number, (mine, theirs) in enumerate(zip(old, new, strict=False)):
        if mine != theirs:
            return number
    return min(len(old), len(new))


def _surplus(lines: Sequence[str], others: Sequence[str], start: int) -> tuple[Line, ...]:
    left = Counter(others)
    surplus: list[Line] = []
    for number, text in enumerate(lines, start + 1):
        if left[text] > 0:
            left[text] -= 1
        else:
            surplus.append(Line(number=number, text=text))
    return tuple(surplus)

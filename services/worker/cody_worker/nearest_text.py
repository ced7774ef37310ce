"""The text of a file that comes closest to one that is not there. Bounded: files are long and this is only a hint."""

import re
from collections.abc import Sequence
from difflib import SequenceMatcher

from msgspec import Struct

_CANDIDATES = 12
_LINES = 40
_CHARACTERS = 2_000
_WORD = re.compile(r"\w+")
_GOOD_ENOUGH = 0.5


class Nearest(Struct, frozen=True, kw_only=True):
    """`line` is where it begins, counted from 1; `text` is cut at 2,000 characters."""

    line: int
    text: str


def nearest_text(text: str, wanted: str) -> Nearest | None:
    """The lines most like `wanted`, or None where nothing is like it.

    Lines are ranked by the words they share with the longest line of `wanted`; only the best few are compared in full.
    """
    lines, sought = text.split("\n"), wanted.strip("\n").split("\n")[:_LINES]
    anchor = max(range(len(sought)), key=lambda number: len(sought[number].strip()))
    starts = {max(0, number - anchor) for number in _likely(lines, sought[anchor])}
    ranked = sorted(((_likeness(lines, start, sought), -start) for start in starts), reverse=True)
    if not ranked or ranked[0][0] < _GOOD_ENOUGH:
        return None
    start = -ranked[0][1]
    return Nearest(line=start + 1, text="\n".join(lines[start : start + len(sought)])[:_CHARACTERS])


def _likely(lines: Sequence[str], line: str) -> list[int]:
    words = set(_WORD.findall(line[:_CHARACTERS]))
    if not words:
        return []
    scored = ((_shared(words, other), -number) for number, other in enumerate(lines))
    best = sorted((pair for pair in scored if pair[0] > 0), reverse=True)[:_CANDIDATES]
    return [-number for _, number in best]


def _shared(words: set[str], line: str) -> float:
    """Shared words, as a part of all words of both lines."""
    others = set(_WORD.findall(line[:_CHARACTERS]))
    return len(words & others) / len(words | others)


def _likeness(lines: Sequence[str], start: int, sought: Sequence[str]) -> float:
    window = "\n".join(lines[start : start + len(sought)])[:_CHARACTERS]
    return SequenceMatcher(a=window, b="\n".join(sought)[:_CHARACTERS], autojunk=False).ratio()

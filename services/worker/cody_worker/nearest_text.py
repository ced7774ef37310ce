"""The text of a file that comes closest to one that is not there. Bounded: files are long and this is only a hint."""

import re
from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher

from msgspec import Struct

_CANDIDATES = 12
_LINES = 40
_CHARACTERS = 2_000
_COMPARED = 600
_WORD = re.compile(r"\w+")
_GOOD_ENOUGH = 0.5


class Nearest(Struct, frozen=True, kw_only=True):
    """`line` is where it begins, counted from 1; `text` is cut at 2,000 characters."""

    line: int
    text: str


def nearest_text(text: str, wanted: str) -> Nearest | None:
    """The lines most like `wanted`, or None where nothing is like it.

    Places are proposed by lines of `wanted` that the file has as well, indentation aside, and by lines that share words
    with its longest line; only the best few are compared in full.
    """
    lines, sought = text.split("\n"), wanted.strip("\n").split("\n")[:_LINES]
    anchor = max(range(len(sought)), key=lambda number: len(sought[number].strip()))
    starts = {max(0, number - anchor) for number in _likely(lines, sought[anchor])} | _agreed(lines, sought)
    ranked = sorted(((_likeness(lines, start, sought), -start) for start in starts), reverse=True)
    if not ranked or ranked[0][0] < _GOOD_ENOUGH:
        return None
    start = -ranked[0][1]
    return Nearest(line=start + 1, text="\n".join(lines[start : start + len(sought)])[:_CHARACTERS])


def _agreed(lines: Sequence[str], sought: Sequence[str]) -> set[int]:
    """Where `sought` would begin if its lines lay where the file has the same ones; places that most lines agree on."""
    wanted: dict[str, list[int]] = {}
    for number, line in enumerate(sought):
        wanted.setdefault(line.strip(), []).append(number)
    wanted.pop("", None)
    votes = Counter[int]()
    for number, line in enumerate(lines):
        for place in wanted.get(line.strip(), ()):
            votes[max(0, number - place)] += 1
    return {start for start, _ in votes.most_common(_CANDIDATES)}


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
    window = "\n".join(lines[start : start + len(sought)])[:_COMPARED]
    return SequenceMatcher(a=window, b="\n".join(sought)[:_COMPARED], autojunk=False).ratio()

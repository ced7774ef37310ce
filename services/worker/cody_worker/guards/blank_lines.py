"""Blank lines that came or went between lines that are neighbours before and after."""

from collections import Counter
from collections.abc import Hashable, Iterator
from typing import TypeVar

from msgspec import Struct

_Neighbours = tuple[str, str]
_Key = TypeVar("_Key", bound=Hashable)


class Gap(Struct, frozen=True, kw_only=True):
    """So many blank lines between two others, without their white space; `line` is the number of the second."""

    neighbours: _Neighbours
    blank: int
    line: int


def changed_gaps(old: str, new: str) -> list[Gap]:
    """Those of the new text. What comes with a new, removed or changed line has other neighbours, so it is none."""
    before, after = [*_gaps(old)], [*_gaps(new)]
    left = Counter((gap.neighbours, gap.blank) for gap in before)
    grown = [gap for gap in after if not _take(left, (gap.neighbours, gap.blank))]
    lost: Counter[_Neighbours] = Counter()
    for (neighbours, _), number in left.items():
        lost[neighbours] += number
    return [gap for gap in grown if _take(lost, gap.neighbours)]


def _take(left: Counter[_Key], key: _Key) -> bool:
    """Whether one was left."""
    if left[key] <= 0:
        return False
    left[key] -= 1
    return True


def _gaps(text: str) -> Iterator[Gap]:
    """Between the file's beginning, its lines and its end."""
    last, blank, number = "", 0, 0
    for number, line in enumerate(text.removesuffix("\n").split("\n"), 1):
        stripped = line.strip()
        if stripped:
            yield Gap(neighbours=(last, stripped), blank=blank, line=number)
            last, blank = stripped, 0
        else:
            blank += 1
    yield Gap(neighbours=(last, ""), blank=blank, line=number)

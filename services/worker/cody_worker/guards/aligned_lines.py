"""Which line of the new text was which of the old one, whatever became of its white space."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

from msgspec import Struct

from cody_worker.guards.changed_lines import bare

_DEPTH = 24
"""So often is a part looked at in its own parts; what no line of its own tells apart by then is taken for new."""
_Place = tuple[int, int]


class Row(Struct, frozen=True, kw_only=True):
    """A line that is not blank, but for the last, which stands for the end; `blank` is how many blank ones come before
    it. `number` counts from 1."""

    number: int
    text: str
    blank: int


class Aligned(Struct, frozen=True, kw_only=True):
    """`places` are the indexes of rows that were and are the same but for white space, in order; the end is one."""

    old: Sequence[Row]
    new: Sequence[Row]
    places: Sequence[_Place]


def align(old: str, new: str) -> Aligned:
    """Lines that moved are not aligned: they went, and came. Takes time that grows little more than with the text."""
    old_rows, new_rows = [*_rows(old)], [*_rows(new)]
    places = _places([bare(row.text) for row in old_rows], [bare(row.text) for row in new_rows])
    return Aligned(old=old_rows, new=new_rows, places=places)


def _rows(text: str) -> Iterator[Row]:
    blank = number = 0
    for number, line in enumerate(text.removesuffix("\n").split("\n"), 1):
        if line.strip():
            yield Row(number=number, text=line, blank=blank)
            blank = 0
        else:
            blank += 1
    yield Row(number=number, text="", blank=blank)


def _places(old: Sequence[str], new: Sequence[str]) -> list[_Place]:
    """What is the same at the beginning and at the end of a part, and then what is there once in both (the algorithm is
    known as patience diff), which divides it into smaller ones."""
    found: list[_Place] = []
    parts = [(0, len(old), 0, len(new), 0)]
    while parts:
        start, end, new_start, new_end, depth = parts.pop()
        while start < end and new_start < new_end and old[start] == new[new_start]:
            found.append((start, new_start))
            start, new_start = start + 1, new_start + 1
        while start < end and new_start < new_end and old[end - 1] == new[new_end - 1]:
            end, new_end = end - 1, new_end - 1
            found.append((end, new_end))
        if start < end and new_start < new_end and depth < _DEPTH:
            anchors = _anchors(old[start:end], new[new_start:new_end])
            edges = [(-1, -1), *anchors, (end - start, new_end - new_start)] if anchors else []
            found += [(start + place, new_start + new_place) for place, new_place in anchors]
            parts += [
                (start + a + 1, start + b, new_start + c + 1, new_start + d, depth + 1)
                for (a, c), (b, d) in pairwise(edges)
            ]
    return sorted(found)


def _anchors(old: Sequence[str], new: Sequence[str]) -> list[_Place]:
    """The longest list of lines that both have once, in the order of both."""
    counts, new_counts = Counter(old), Counter(new)
    place_of = {line: place for place, line in enumerate(new)}
    common = [
        (place, place_of[line]) for place, line in enumerate(old) if counts[line] == 1 and new_counts.get(line) == 1
    ]
    ends: list[int] = []
    last: list[int] = []
    before: list[int] = []
    for index, (_, place) in enumerate(common):
        length = bisect_left(ends, place)
        ends[length : length + 1] = [place]
        last[length : length + 1] = [index]
        before.append(last[length - 1] if length else -1)
    return [*reversed([*_chain(common, before, last[-1] if last else -1)])]


def _chain(common: Sequence[_Place], before: Sequence[int], index: int) -> Iterator[_Place]:
    while index >= 0:
        yield common[index]
        index = before[index]

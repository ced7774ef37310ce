"""The whole file where it is short or much of it matters, else windows around a plan's matches."""

from collections.abc import Iterator, Sequence

from cody_jobs.plan import Extent
from cody_worker.windows.outline import Outline, enclosing, outline_of
from cody_worker.windows.view import Span, View, count_lines, merge_spans

_SHORT = 1_200
"""Characters: below, marks and another round cost more than the rest of the file."""
_WORTH_IT = 0.7
"""Windows above this share of the file are no windows."""
_LONG = 40_000
"""Characters: a file that is to be seen whole is still cut to windows above, where they are a small part."""
_SMALL_SHARE = 0.25
_MOST_MATCHES = 60
_DEFINITION_LINES = 30
"""A longer definition is cut to its first line and the surroundings of the match."""
_AROUND = 6
_TEXT_LINES = 60
_GAP = 3
"""Fewer lines than this between two windows are shown."""
_IMPORT_LINES = 30


def first_view(path: str, text: str, matches: Sequence[Span], extent: Extent) -> View:
    """Blocking: a large file takes a second."""
    whole = View.whole(text)
    if not matches or len(text) < _SHORT or len(matches) > _MOST_MATCHES:
        return whole
    if extent is Extent.FILE and len(text) < _LONG:
        return whole
    windows = windows_around(path, text, matches)
    share = _WORTH_IT if extent is Extent.MATCHES else _SMALL_SHARE
    return windows if windows.characters <= share * len(text) else whole


def windows_around(path: str, text: str, matches: Sequence[Span]) -> View:
    """Each match with its enclosing definition, and the imports."""
    outline = outline_of(path, text)
    spans = [*_imports(outline), *(span for match in matches for span in _around(outline, text, match))]
    return View(text=text, spans=merge_spans(spans, gap=_GAP))


def _imports(outline: Outline) -> Iterator[Span]:
    left = _IMPORT_LINES
    for first, last in outline.imports:
        if left <= 0:
            return
        yield first, min(last, first + left - 1)
        left -= last - first + 1


def _around(outline: Outline, text: str, match: Span) -> Iterator[Span]:
    around = enclosing(outline, match)
    for first, last in reversed(around):
        if last - first >= _DEFINITION_LINES:
            break
        if first < match[0] or last > match[1]:
            yield first, last
            yield from _first_lines(around, first)
            return
    yield _without_halves(outline, (max(1, match[0] - _AROUND), min(count_lines(text), match[1] + _AROUND)), match)
    yield from _first_lines(around, match[0])


def _without_halves(outline: Outline, window: Span, match: Span) -> Span:
    """Shrunk where a string or comment would be cut; grown to all of it where the match is a part of it."""
    start, end = window
    for first, last in outline.texts:
        if first <= match[1] and match[0] <= last:
            if last - first < _TEXT_LINES:
                start, end = min(start, first), max(end, last)
        elif first < start <= last < match[0]:
            start = last + 1
        elif match[1] < first <= end < last:
            end = first - 1
    return start, end


def _first_lines(around: Sequence[Span], inner: int) -> Iterator[Span]:
    """Of the definitions further out: whose method this is."""
    return ((first, first) for first, _ in around if first < inner)

"""Cut a view that is too large into parts, at syntactic borders."""

from cody_worker.windows.choose_view import windows_around
from cody_worker.windows.outline import Outline, outline_of
from cody_worker.windows.view import Span, View, merge_spans

_SMALLEST_LINES = 40
_CLEARLY_SMALLER = 0.7


def smaller_views(path: str, view: View, matches: tuple[Span, ...]) -> list[View]:
    """Views that show together what has to be seen; empty where there is nothing left to cut. Blocking."""
    if view.is_whole and matches:
        windows = windows_around(path, view.text, matches)
        if windows.characters < _CLEARLY_SMALLER * view.characters:
            return [windows]
    outline = outline_of(path, view.text)
    shown = sum(last - first + 1 for first, last in view.spans)
    if shown < 2 * _SMALLEST_LINES:
        return []
    border = _border(view, outline, shown)
    imports = () if view.is_part else outline.imports
    return [
        View(text=view.text, spans=merge_spans([*imports, *half]), is_part=True)
        for half in (_before(view, border), _from(view, border))
        if half
    ]


def _border(view: View, outline: Outline, shown: int) -> int:
    """The line that begins the second half: of those where no definition would be cut, the one nearest to the middle;
    of a file that is one definition, where the fewest would be."""
    middle = _nth_line(view, shown // 2)
    quarter, three = _nth_line(view, shown // 4), _nth_line(view, shown * 3 // 4)
    cuts = {first for first, _ in outline.definitions} | {last + 1 for _, last in outline.definitions} | {middle}
    places = [line for line in cuts if quarter <= line <= three] or [middle]
    return min(places, key=lambda line: (_depth(outline, line), abs(line - middle)))


def _depth(outline: Outline, line: int) -> int:
    return sum(1 for first, last in outline.definitions if first < line <= last)


def _nth_line(view: View, number: int) -> int:
    for first, last in view.spans:
        if number <= last - first:
            return first + number
        number -= last - first + 1
    return view.spans[-1][1]


def _before(view: View, border: int) -> list[Span]:
    return [(first, min(last, border - 1)) for first, last in view.spans if first < border]


def _from(view: View, border: int) -> list[Span]:
    return [(max(first, border), last) for first, last in view.spans if last >= border]

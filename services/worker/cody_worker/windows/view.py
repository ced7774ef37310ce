"""Lines of a file that are shown, and marks in the place of those that are not."""

from collections.abc import Iterable, Iterator
from itertools import pairwise

from msgspec import Struct

Span = tuple[int, int]
"""First and last line, counted from 1."""


class View(Struct, frozen=True, kw_only=True):
    """`spans` are in order and do not touch; `is_part`: somebody else is shown the rest, to work on it."""

    text: str
    spans: tuple[Span, ...]
    is_part: bool = False

    @classmethod
    def whole(cls, text: str) -> "View":
        return cls(text=text, spans=((1, count_lines(text)),))

    @property
    def is_whole(self) -> bool:
        return self.spans == ((1, count_lines(self.text)),)

    @property
    def characters(self) -> int:
        return len(self.text) if self.is_whole else sum(map(len, self.pieces()))

    def pieces(self) -> list[str]:
        """The text of each span, without its last line's end."""
        lines = self.text.split("\n")
        return ["\n".join(lines[first - 1 : last]) for first, last in self.spans]

    def with_span(self, span: Span) -> "View":
        """With more lines shown; those that the file does not have do not matter."""
        first, last = max(1, span[0]), min(count_lines(self.text), span[1])
        more = [(first, last)] if first <= last else []
        return View(text=self.text, spans=merge_spans([*self.spans, *more]), is_part=self.is_part)

    def render(self, tag: str) -> str:
        """What is shown. Line numbers stand in the marks alone, so that text can be copied as it is."""
        return self.text if self.is_whole else "\n".join(self._with_marks(tag))

    def _with_marks(self, tag: str) -> Iterator[str]:
        done = 0
        for (first, last), piece in zip(self.spans, self.pieces(), strict=True):
            if first > done + 1:
                yield _mark(tag, done + 1, first - 1)
            yield piece
            done = last
        if done < count_lines(self.text):
            yield _mark(tag, done + 1, count_lines(self.text))


def count_lines(text: str) -> int:
    """As `split` has them: a text that ends in a line's end has an empty last line."""
    return text.count("\n") + 1


def merge_spans(spans: Iterable[Span], *, gap: int = 0) -> tuple[Span, ...]:
    """In order; spans with at most `gap` lines between them become one."""
    merged: list[Span] = []
    for first, last in sorted(spans):
        if merged and first <= merged[-1][1] + 1 + gap:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return tuple(merged)


def unfold(view: View, tag: str, text: str) -> str:
    """The text with the lines that its marks stand for; a mark that is none of the view's stays."""
    lines = view.text.split("\n")
    marks = {
        mark: "\n".join(lines[done : first - 1])
        for (_, done), (first, _) in pairwise([(0, 0), *view.spans, (len(lines) + 1, 0)])
        if (mark := _mark(tag, done + 1, first - 1)) in text
    }
    return "\n".join(marks.get(line, line) for line in text.split("\n")) if marks else text


def _mark(tag: str, first: int, last: int) -> str:
    return f"[{tag}: lines {first}-{last} left out]"

"""Apply edits to bytes: each old text exactly once, all or nothing, and every other byte stays what it was."""

import re
from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate, pairwise

from msgspec import Struct

from cody_jobs.errors import CodyError
from cody_jobs.outcomes import Edit
from cody_worker.file_text import FileText, read_text
from cody_worker.nearest_text import Nearest, nearest_text

_LINES_NAMED = 10


class EditNotApplicable(CodyError):
    """An edit that does not fit the file.

    `index` counts from 0; `lines` are where its old text begins (the first ten); `nearest` is the text of the file that
    comes closest where there is none; `overlaps` is the index of another edit that changes the same place.
    """

    code = "edit_not_applicable"

    def __init__(
        self, *, index: int, lines: Sequence[int] = (), nearest: Nearest | None = None, overlaps: int | None = None
    ) -> None:
        self.index = index
        self.lines = tuple(lines)
        self.nearest = nearest
        self.overlaps = overlaps
        super().__init__(f"edit {index + 1} {self._reason()}")

    @property
    def count(self) -> int:
        """How often the old text was found, counted up to ten."""
        return len(self.lines)

    def _reason(self) -> str:
        if self.overlaps is not None:
            return f"changes the same text as edit {self.overlaps + 1}"
        if not self.lines:
            return "has an old text that is not in the file"
        places = ", ".join(map(str, self.lines))
        times = "at least " * (len(self.lines) == _LINES_NAMED) + f"{len(self.lines)} times"
        return f"has an old text that occurs {times}, at lines {places}"


class _Place(Struct, frozen=True, kw_only=True):
    """Where an edit falls in the shown text, end exclusive."""

    index: int
    start: int
    end: int
    new: str


def apply_edits(data: bytes, edits: Sequence[Edit]) -> bytes:
    """The file with every edit applied. Old texts are looked for in the file as it was shown (LF, no mark).

    Raises `EditNotApplicable` where an old text is empty, missing, ambiguous or overlaps another edit's,
    `EncodingNotKept` where the result does not fit the file's encoding, `ValueError` for a binary file.
    """
    text = read_text(data)
    if text is None:
        raise ValueError("a binary file has no text to edit")
    places = sorted((_find(text.shown, index, edit) for index, edit in enumerate(edits)), key=lambda place: place.start)
    _refuse_overlaps(places)
    if "\r\n" not in text.source:
        return text.encode(_splice(text.source, [(place.start, place.end, place.new) for place in places]))
    return text.encode(_CrlfSplicer(text).splice(places))


def _find(shown: str, index: int, edit: Edit) -> _Place:
    if not edit.old_text:
        raise EditNotApplicable(index=index)
    old, new = as_shown(shown, edit)
    starts = _starts(shown, old) if edit.line is None else _starts_in_line(shown, old, edit.line)
    if len(starts) != 1:
        nearest = None if starts else nearest_text(shown, old)
        raise EditNotApplicable(index=index, lines=[shown.count("\n", 0, at) + 1 for at in starts], nearest=nearest)
    return _Place(index=index, start=starts[0], end=starts[0] + len(old), new=new)


def as_shown(shown: str, edit: Edit) -> tuple[str, str]:
    """Old and new text. Line endings are not Claude's business: a CRLF in an edit means a line's end, whatever the
    file's own are.

    Except where the shown text really has one: a CR of its own in front of a CRLF.
    """
    if "\r\n" in edit.old_text and edit.old_text in shown:
        return edit.old_text, edit.new_text
    return edit.old_text.replace("\r\n", "\n"), edit.new_text.replace("\r\n", "\n")


def _starts(shown: str, old: str) -> list[int]:
    """Where the old text begins, overlapping finds included, up to ten."""
    starts: list[int] = []
    at = shown.find(old)
    while at >= 0 and len(starts) < _LINES_NAMED:
        starts.append(at)
        at = shown.find(old, at + 1)
    return starts


def _starts_in_line(shown: str, old: str, line: int) -> list[int]:
    begin = 0
    for _ in range(line - 1):
        begin = shown.find("\n", begin) + 1
        if begin == 0:
            return []
    end = shown.find("\n", begin)
    end = len(shown) if end < 0 else end
    starts: list[int] = []
    at = shown.find(old, begin)
    while 0 <= at <= end and len(starts) < _LINES_NAMED:
        starts.append(at)
        at = shown.find(old, at + 1)
    return starts


def _refuse_overlaps(places: Sequence[_Place]) -> None:
    for before, after in pairwise(places):
        if after.start < before.end:
            raise EditNotApplicable(index=after.index, overlaps=before.index)


def _splice(source: str, parts: Sequence[tuple[int, int, str]]) -> str:
    """Replace each part (start, end, new text), in order of their places."""
    pieces, done = list[str](), 0
    for start, end, new in parts:
        pieces += [source[done:start], new]
        done = end
    return "".join([*pieces, source[done:]])


class _CrlfSplicer:
    """Puts new text into a source that has CRLF somewhere, giving each new line an ending that fits its place."""

    def __init__(self, text: FileText) -> None:
        self._text = text
        self._newlines = [found.start() for found in re.finditer("\n", text.shown)]
        self._crlf = [line.endswith("\r") for line in text.source.split("\n")[:-1]]
        self._added = list(accumulate(self._crlf, initial=0))
        self._dominant = "\r\n" if self._added[-1] * 2 > len(self._crlf) else "\n"

    def splice(self, places: Sequence[_Place]) -> str:
        parts = [
            (self._in_source(place.start), self._in_source(place.end), self._with_endings(place)) for place in places
        ]
        return _splice(self._text.source, parts)

    def _in_source(self, at: int) -> int:
        """The place in the source of a place in the shown text: one more for every CRLF before it."""
        return at + self._added[bisect_left(self._newlines, at)]

    def _with_endings(self, place: _Place) -> str:
        first, last = bisect_left(self._newlines, place.start), bisect_left(self._newlines, place.end)
        old_lines = self._text.shown[place.start : place.end].split("\n")
        new_lines = place.new.split("\n")
        old_endings = [self._ending(number) for number in range(first, last)]
        endings = _endings(old_lines, new_lines, old_endings, self._fallback(first, last))
        return "".join(line + ending for line, ending in zip(new_lines, [*endings, ""], strict=True))

    def _fallback(self, first: int, last: int) -> str:
        """The ending of lines that the old text did not have: its last line's own, else the line's before, else the
        file's usual one."""
        if last < len(self._newlines):
            return self._ending(last)
        return self._ending(first - 1) if first else self._dominant

    def _ending(self, number: int) -> str:
        return "\r\n" if self._crlf[number] else "\n"


def _endings(old: Sequence[str], new: Sequence[str], old_endings: Sequence[str], fallback: str) -> list[str]:
    """Endings of all new lines but the last: unchanged lines at both ends keep theirs, those between take the old
    ones by position, and what is left takes the last ending of the old text, or the fallback."""
    wanted = len(new) - 1
    tail = _same(list(reversed(old)), list(reversed(new)), min(len(old_endings), wanted))
    head = min(_same(old, new, min(len(old_endings), wanted)), wanted - tail, len(old_endings) - tail)
    middle = list(old_endings[head : len(old_endings) - tail])
    filler = old_endings[-1] if old_endings else fallback
    missing = wanted - head - tail - len(middle)
    middle = middle[: wanted - head - tail] + [filler] * max(0, missing)
    return [*old_endings[:head], *middle, *old_endings[len(old_endings) - tail :]]


def _same(old: Sequence[str], new: Sequence[str], most: int) -> int:
    """How many of the first items are equal, at most `most`."""
    count = 0
    while count < most and old[count] == new[count]:
        count += 1
    return count

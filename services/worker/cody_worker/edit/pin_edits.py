"""Say what an edit means that was made for a view of a file, in words of the whole file."""

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from cody_jobs.outcomes import Edit
from cody_worker.apply_edits import as_shown
from cody_worker.claude.edit_protocol import tag_of
from cody_worker.windows import View, unfold


def pin_edits(view: View, edits: Sequence[Edit]) -> tuple[Edit, ...]:
    """An old text that occurs once in what was shown is meant there. A mark of lines that were left out, if old and new
    text have the same ones, stands for these lines: so two places can be told apart by what is around the mark."""
    return tuple(edits) if view.is_whole else tuple(_pin(view, _unfolded(view, edit)) for edit in edits)


def _unfolded(view: View, edit: Edit) -> Edit:
    tag = tag_of("file", view.text)
    if tag not in edit.old_text or _marks(tag, edit.old_text) != _marks(tag, edit.new_text):
        return edit
    return replace(edit, old_text=unfold(view, tag, edit.old_text), new_text=unfold(view, tag, edit.new_text))


def _marks(tag: str, text: str) -> list[str]:
    return [line for line in text.split("\n") if tag in line]


def has_mark(view: View, edits: Sequence[Edit]) -> bool:
    """Whether a mark would get into the file, or lines would go that nobody has seen."""
    tag = tag_of("file", view.text)
    return any(tag in edit.old_text or tag in edit.new_text for edit in edits)


def _pin(view: View, edit: Edit) -> Edit:
    old, _ = as_shown(view.text, edit)
    if not old or view.text.find(old) == view.text.rfind(old):
        return edit
    lines = list(_lines_shown(view, old))
    return replace(edit, line=lines[0]) if len(lines) == 1 else edit


def _lines_shown(view: View, old: str) -> Iterator[int]:
    """Where it begins, once for each place."""
    for (first, _), piece in zip(view.spans, view.pieces(), strict=True):
        at = piece.find(old)
        while at >= 0:
            yield first + piece.count("\n", 0, at)
            at = piece.find(old, at + 1)

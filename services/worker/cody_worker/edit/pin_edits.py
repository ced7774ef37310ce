"""Say where an edit belongs whose old text occurs again in lines that Claude was not shown."""

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from cody_jobs.outcomes import Edit
from cody_worker.apply_edits import as_shown
from cody_worker.windows import View


def pin_edits(view: View, edits: Sequence[Edit]) -> tuple[Edit, ...]:
    """An old text that occurs once in what was shown is meant there; all others stay as they are."""
    return tuple(edits) if view.is_whole else tuple(_pin(view, edit) for edit in edits)


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

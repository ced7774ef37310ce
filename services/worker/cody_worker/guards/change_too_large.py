"""A file that changes far more than the plan's example lets expect."""

from cody_worker.guards.changed_lines import ChangedLines, compare
from cody_worker.guards.finding import Finding, GuardName

TIMES_EXAMPLE = 3
"""One place may take this many times the lines of the example."""
FREE_LINES = 20
"""Imports and the like, which come once in a file."""


def change_too_large(lines: ChangedLines, example: tuple[str, str] | None, matches: int | None) -> Finding | None:
    """Nothing is known of a file without an example or a number of matches, nor of one that is made."""
    if example is None or matches is None or not lines.before:
        return None
    changed, expected = _size(lines), max(_size(compare(*example)), 1)
    most = matches * expected * TIMES_EXAMPLE + FREE_LINES
    if changed <= most:
        return None
    message = (
        f"{changed} lines change where at most {most} are expected: the file has {matches} matches, and the plan's "
        f"example changes {expected} lines"
    )
    return Finding(guard=GuardName.CHANGE_TOO_LARGE, message=message)


def _size(lines: ChangedLines) -> int:
    return max(len(lines.added), len(lines.removed))

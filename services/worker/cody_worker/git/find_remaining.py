"""What a plan's completion query still matches in the result."""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence

from cody_jobs.reports import REMAINING_SHOWN, Remaining, RemainingLine
from cody_worker.git.object_store import ObjectStore
from cody_worker.git.scope import ScopeRules, SkipReason
from cody_worker.git.selection import Selection, compile_all, text_or_reason
from cody_worker.git.trees import walk_files

_TEXT_SHOWN = 200


def find_remaining(store: ObjectStore, root: bytes, rules: ScopeRules) -> Remaining:
    """By path; a match that spans lines counts where it begins."""
    selection = Selection(rules)
    expressions = compile_all("`remaining` of the plan", rules.plan.remaining)
    lines: list[RemainingLine] = []
    total = 0
    for file in sorted(walk_files(store, root)):
        if not selection.has_path(file.path):
            continue
        text = text_or_reason(store, file, max_bytes=rules.max_file_bytes)
        if isinstance(text, SkipReason):
            continue
        for number, line in _matching_lines(text, expressions):
            total += 1
            if len(lines) < REMAINING_SHOWN:
                lines.append(RemainingLine(path=file.path.decode(), line=number, text=_shown(line)))
    return Remaining(total=total, lines=tuple(lines))


def _matching_lines(text: str, expressions: Sequence[re.Pattern[str]]) -> Iterator[tuple[int, str]]:
    places = {found.start() for expression in expressions for found in expression.finditer(text)}
    if not places:
        return
    lines = text.split("\n")
    starts = [0]
    for line in lines[:-1]:
        starts.append(starts[-1] + len(line) + 1)
    for number in sorted({bisect_right(starts, place) for place in places}):
        yield number, lines[number - 1]


def _shown(line: str) -> str:
    line = line.strip()
    return line if len(line) <= _TEXT_SHOWN else f"{line[: _TEXT_SHOWN - 1]}…"

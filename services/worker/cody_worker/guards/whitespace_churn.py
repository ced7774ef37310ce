"""Reformatting that nobody asked for: lines that differ in nothing but their white space or their end."""

import re
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence

from msgspec import Struct

from cody_worker.guards.changed_lines import ChangedLines, Line
from cody_worker.guards.finding import Finding, GuardName

MOST_CHURN = 0.5
"""The share of the changed lines that may differ in white space alone."""
_FEW_LINES = 3
"""So few such lines beside a real change are no churn."""
_ASKED_FOR = re.compile(
    r"white.?space|indent|\btabs?\b|line.?(?:ending|feed|break)|new.?lines?\b|\bCRLF\b|\bLF\b|\bEOL\b|reformat|"
    r"auto.?format|formatt(?:ing|er)|format the\b|code style|prettier|gofmt|blank lines?|trailing space|pep.?8",
    re.IGNORECASE,
)
_INDENT = re.compile(r"[ \t]*")


class _Pair(Struct, frozen=True, kw_only=True):
    """A line before and after, the same but for white space."""

    old: Line
    new: Line


def whitespace_churn(lines: ChangedLines, prompt: str) -> Finding | None:
    """A block that moved in or out as one, because of a line that came or went around it, is no churn. Nothing is where
    the prompt speaks of white space."""
    if not lines.before or not lines.after or _ASKED_FOR.search(prompt):
        return None
    pairs = _pairs(lines)
    real = max(_real(lines.added), _real(lines.removed)) - len(pairs)
    churn = _without_blocks(pairs, real)
    if churn and (not real or len(churn) > _FEW_LINES and len(churn) > MOST_CHURN * (len(churn) + real)):  # noqa: RUF021
        return _finding(churn, real)
    return _blank_or_final(lines, real)


def _pairs(lines: ChangedLines) -> list[_Pair]:
    waiting: defaultdict[str, deque[Line]] = defaultdict(deque)
    for line in lines.removed:
        waiting[_bare(line.text)].append(line)
    matched = ((line, waiting[_bare(line.text)]) for line in lines.added if _bare(line.text))
    return [_Pair(old=old.popleft(), new=line) for line, old in matched if old]


def _bare(text: str) -> str:
    return "".join(text.split())


def _real(lines: Iterable[Line]) -> int:
    return sum(1 for line in lines if line.text.strip())


def _without_blocks(pairs: Sequence[_Pair], real: int) -> list[_Pair]:
    """Each really changed line explains at most one block of lines that were all indented by the same."""
    blocks = _blocks(pairs)
    explained = sorted((block for block in blocks if _shift(block[0])), key=len, reverse=True)[:real]
    excused = {id(pair) for block in explained for pair in block}
    return [pair for pair in pairs if id(pair) not in excused]


def _blocks(pairs: Sequence[_Pair]) -> list[list[_Pair]]:
    blocks: list[list[_Pair]] = []
    for pair in pairs:
        if blocks and _shift(pair) and _shift(pair) == _shift(blocks[-1][-1]) and _is_next(blocks[-1][-1], pair):
            blocks[-1].append(pair)
        else:
            blocks.append([pair])
    return blocks


def _is_next(last: _Pair, pair: _Pair) -> bool:
    """Blank lines in between keep their (empty) indentation."""
    return 0 < pair.new.number - last.new.number <= 1 + _FEW_LINES


def _shift(pair: _Pair) -> tuple[str, str] | None:
    """What the indentation lost and gained at its start, where nothing else changed."""
    old, new = (_INDENT.match(line.text) for line in (pair.old, pair.new))
    assert old is not None
    assert new is not None
    if pair.old.text[old.end() :] != pair.new.text[new.end() :]:
        return None
    if new[0].startswith(old[0]):
        return "", new[0][len(old[0]) :]
    return (old[0][len(new[0]) :], "") if old[0].startswith(new[0]) else None


def _finding(churn: Sequence[_Pair], real: int) -> Finding:
    ends = sum(1 for pair in churn if pair.old.text.rstrip("\r") == pair.new.text.rstrip("\r"))
    kind = "in their line endings" if ends == len(churn) else "in white space"
    line = churn[0].new.number
    message = f"{len(churn)} lines differ only {kind}, beside {real} real changes; the first is line {line}"
    return Finding(guard=GuardName.WHITESPACE_CHURN, message=message, line=line)


def _blank_or_final(lines: ChangedLines, real: int) -> Finding | None:
    if not real and (lines.added or lines.removed) and not _pairs(lines):
        line = (lines.added or lines.removed)[0].number
        message = f"only blank lines are added or removed; the first is line {line}"
        return Finding(guard=GuardName.WHITESPACE_CHURN, message=message, line=line)
    if lines.before.endswith("\n") == lines.after.endswith("\n") or _last(lines.before) != _last(lines.after):
        return None
    what = "removed" if lines.before.endswith("\n") else "added"
    line = lines.after.removesuffix("\n").count("\n") + 1
    message = f"the line feed at the end of the file is {what}, though its last line stays"
    return Finding(guard=GuardName.WHITESPACE_CHURN, message=message, line=line)


def _last(text: str) -> str:
    return text.rstrip("\r\n").rpartition("\n")[2].rstrip("\r")

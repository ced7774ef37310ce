"""Reformatting that nobody asked for: lines that differ in nothing but their white space or their end."""

import re
from collections.abc import Iterable, Sequence
from itertools import accumulate

from msgspec import Struct

from cody_worker.guards.asked import asks_for
from cody_worker.guards.blank_lines import changed_gaps
from cody_worker.guards.changed_lines import ChangedLines, Line, Pair, bare, pairs_by
from cody_worker.guards.finding import Finding, GuardName, GuardRules

MOST_CHURN = 0.2
"""The share of the changed lines that may differ in white space alone."""
_FEW_LINES = 3
"""So few such lines beside a real change are no churn."""
_ASKED_FOR = re.compile(
    r"white.?space|indent|\btabs?\b|line.?(?:ending|feed|break)|new.?lines?\b|\bCRLF\b|\bLF\b|\bEOL\b|reformat|"
    r"auto.?format|formatt(?:ing|er)|format the\b|code style|prettier|gofmt|blank lines?|trailing space|pep.?8",
    re.IGNORECASE,
)
_INDENT = re.compile(r"[ \t]*")
_TEXT_BEGINS = re.compile(r"\"{3}|'{3}|`|<<|/\*|\br?#+\"")
_LONGEST_TEXT = 60
"""So many lines of a block may keep their indentation, where a text of several lines begins before them."""


class _Churn(Struct, frozen=True, kw_only=True):
    """`gaps` are numbers of lines before which blank lines came or went; `real` is how many lines changed besides."""

    pairs: Sequence[Pair]
    gaps: Sequence[int]
    real: int

    @property
    def size(self) -> int:
        return len(self.pairs) + len(self.gaps)

    @property
    def is_too_much(self) -> bool:
        if not self.real:
            return self.size > 0
        return self.size > _FEW_LINES and self.size > MOST_CHURN * (self.size + self.real)


def whitespace_churn(lines: ChangedLines, rules: GuardRules) -> Finding | None:
    """A block that moved in or out as one, because of a line that came or went around it, is no churn. Nothing is where
    the task speaks of white space."""
    if not lines.before or not lines.after or asks_for(_ASKED_FOR, rules):
        return None
    churn = _churn(lines)
    return _finding(churn) if churn.is_too_much else _blank_or_final(lines, churn.real)


def _churn(lines: ChangedLines) -> _Churn:
    pairs = pairs_by(bare, lines.removed, lines.added)
    real = max(_real(lines.added), _real(lines.removed)) - len(pairs) or int(_has_moved(lines))
    gaps = [gap.line for gap in changed_gaps(lines.before, lines.after)]
    return _Churn(pairs=_without_blocks(pairs, lines, real), gaps=gaps, real=real)


def _has_moved(lines: ChangedLines) -> bool:
    """Whether lines stand in another order."""
    old, new = (map(bare, text.split("\n")) for text in (lines.before, lines.after))
    return [*filter(None, old)] != [*filter(None, new)]


def _real(lines: Iterable[Line]) -> int:
    return sum(1 for line in lines if line.text.strip())


def _without_blocks(pairs: Sequence[Pair], lines: ChangedLines, real: int) -> list[Pair]:
    """Each really changed line explains at most one block of lines that were all indented by the same, where what is
    around it changed."""
    old, new = (text.split("\n") for text in (lines.before, lines.after))
    blocks = [
        block for block in _blocks(pairs, _kept(lines, new)) if _shift(block[0]) and _has_new_neighbour(block, old, new)
    ]
    explained = sorted(blocks, key=len, reverse=True)[:real]
    excused = {id(pair) for block in explained for pair in block}
    return [pair for pair in pairs if id(pair) not in excused]


def _kept(lines: ChangedLines, new: Sequence[str]) -> list[int]:
    """How many lines up to each are neither new nor blank nor a remark at the very left."""
    added = {line.number for line in lines.added}
    is_kept = (bool(text.strip()) and text[0] != "#" and number not in added for number, text in enumerate(new, 1))
    return [0, *accumulate(is_kept)]


def _blocks(pairs: Sequence[Pair], kept: Sequence[int]) -> list[list[Pair]]:
    blocks: list[list[Pair]] = []
    for pair in pairs:
        if blocks and _shift(pair) and _shift(pair) == _shift(blocks[-1][-1]) and _goes_on(blocks[-1][-1], pair, kept):
            blocks[-1].append(pair)
        else:
            blocks.append([pair])
    return blocks


def _goes_on(last: Pair, pair: Pair, kept: Sequence[int]) -> bool:
    start, end = last.new.number, pair.new.number
    if not start < end:
        return False
    is_text = _TEXT_BEGINS.search(last.new.text) is not None and end - start <= _LONGEST_TEXT
    return is_text or kept[start] == kept[end]


def _has_new_neighbour(block: Sequence[Pair], old: Sequence[str], new: Sequence[str]) -> bool:
    first, last = block[0], block[-1]
    above = _next(old, first.old.number - 2, -1) != _next(new, first.new.number - 2, -1)
    return above or _next(old, last.old.number, 1) != _next(new, last.new.number, 1)


def _next(lines: Sequence[str], index: int, step: int) -> str:
    """The first line from there on that is not blank."""
    while 0 <= index < len(lines) and not lines[index].strip():
        index += step
    return bare(lines[index]) if 0 <= index < len(lines) else ""


def _shift(pair: Pair) -> tuple[str, str] | None:
    """What the indentation lost and gained at its start, where nothing else changed."""
    old, new = (_INDENT.match(line.text) for line in (pair.old, pair.new))
    assert old is not None
    assert new is not None
    if pair.old.text[old.end() :] != pair.new.text[new.end() :]:
        return None
    if new[0].startswith(old[0]):
        return "", new[0][len(old[0]) :]
    return (old[0][len(new[0]) :], "") if old[0].startswith(new[0]) else None


def _finding(churn: _Churn) -> Finding:
    ends = all(pair.old.text.rstrip("\r") == pair.new.text.rstrip("\r") for pair in churn.pairs)
    kind = "in their line endings" if ends and not churn.gaps else "in white space"
    line = min([pair.new.number for pair in churn.pairs[:1]] + [*churn.gaps[:1]])
    blank = f" ({len(churn.gaps)} of them in the blank lines before them)" if churn.gaps else ""
    message = (
        f"{churn.size} lines differ only {kind}{blank}, beside {churn.real} real changes; the first is line {line}"
    )
    return Finding(guard=GuardName.WHITESPACE_CHURN, message=message, line=line)


def _blank_or_final(lines: ChangedLines, real: int) -> Finding | None:
    if not real and (lines.added or lines.removed):
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

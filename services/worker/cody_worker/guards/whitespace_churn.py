"""Reformatting that nobody asked for: lines that differ in nothing but their white space or their end."""

import re
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet

from msgspec import Struct

from cody_worker.guards.aligned_lines import Aligned, Row, align
from cody_worker.guards.asked import asks_for
from cody_worker.guards.changed_lines import ChangedLines
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


class _Pair(Struct, frozen=True, kw_only=True):
    """The same line before and after, but for white space; `place` are its indexes."""

    old: Row
    new: Row
    place: tuple[int, int]


class _Churn(Struct, frozen=True, kw_only=True):
    """`gaps` are numbers of lines before which blank lines came or went; `real` is how many lines changed besides."""

    pairs: Sequence[_Pair]
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
    churn = _churn(align(lines.before, lines.after))
    return _finding(churn) if churn.is_too_much else _final(lines)


def _churn(aligned: Aligned) -> _Churn:
    """What is between two rows that are neighbours before and after did not come with a change."""
    old, new, places = aligned.old, aligned.new, aligned.places
    real = max(len(old), len(new)) - len(places)
    known = {(-1, -1), *places}
    gaps = [new[b].number for a, b in places if old[a].blank != new[b].blank and (a - 1, b - 1) in known]
    blocks = [*_blocks(aligned)]
    excused = {pair.place for block in _explained(blocks, known, real) for pair in block}
    pairs = [pair for block in blocks for pair in block if pair.place not in excused]
    return _Churn(pairs=pairs, gaps=gaps, real=real)


def _explained(blocks: Sequence[list[_Pair]], known: AbstractSet[tuple[int, int]], real: int) -> Sequence[list[_Pair]]:
    """Each really changed line explains at most one block of lines that were all indented by the same, where what is
    around it changed."""
    moved = [block for block in blocks if _shift(block[0]) and not _has_same_neighbours(block, known)]
    return sorted(moved, key=len, reverse=True)[:real]


def _has_same_neighbours(block: Sequence[_Pair], known: AbstractSet[tuple[int, int]]) -> bool:
    (old, new), (last_old, last_new) = block[0].place, block[-1].place
    return (old - 1, new - 1) in known and (last_old + 1, last_new + 1) in known


def _blocks(aligned: Aligned) -> Iterator[list[_Pair]]:
    """Lines that follow each other and moved by the same; others are blocks of one line."""
    block: list[_Pair] = []
    for place in aligned.places:
        pair = _Pair(old=aligned.old[place[0]], new=aligned.new[place[1]], place=place)
        if pair.old.text == pair.new.text:
            if block and not _may_stay(pair.new, block[-1].new):
                yield block
                block = []
            continue
        if block and (_shift(pair) is None or _shift(pair) != _shift(block[-1])):
            yield block
            block = []
        block.append(pair)
    if block:
        yield block


def _may_stay(row: Row, last: Row) -> bool:
    """Within a block, a remark at the very left, and a text of several lines, keep their indentation."""
    is_text = _TEXT_BEGINS.search(last.text) is not None and row.number - last.number <= _LONGEST_TEXT
    return is_text or row.text.startswith("#")


def _shift(pair: _Pair) -> tuple[str, str] | None:
    """What the indentation lost and gained at its start, where nothing else changed."""
    old, new = (_INDENT.match(row.text) for row in (pair.old, pair.new))
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


def _final(lines: ChangedLines) -> Finding | None:
    if lines.before.endswith("\n") == lines.after.endswith("\n") or _last(lines.before) != _last(lines.after):
        return None
    what = "removed" if lines.before.endswith("\n") else "added"
    line = lines.after.removesuffix("\n").count("\n") + 1
    message = f"the line feed at the end of the file is {what}, though its last line stays"
    return Finding(guard=GuardName.WHITESPACE_CHURN, message=message, line=line)


def _last(text: str) -> str:
    return text.rstrip("\r\n").rpartition("\n")[2].rstrip("\r")

"""Characters that a reviewer does not see, or that show code in another order than it has ("Trojan Source",
CVE-2021-42574)."""

import re
from collections import Counter
from itertools import islice

from cody_worker.file_text import read_text
from cody_worker.guards.changed_lines import ChangedLines, Line
from cody_worker.guards.finding import MOST_FINDINGS_OF_A_GUARD, Change, Finding, GuardName, shown

_HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"  # C0 without tab, LF and CR; DEL; C1
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0"
    "\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
_JOINERS = frozenset("\u200c\u200d")
_SEEN_BEFORE_JOINER = re.compile(r"[^\x00-\xff]")


def control_characters(lines: ChangedLines) -> list[Finding]:
    """As many of a character as the file had before are no finding, wherever they went."""
    left = Counter(_HIDDEN.findall(lines.before))
    left.subtract(Counter(_HIDDEN.findall(lines.after)))
    more = {character for character, number in left.items() if number < 0}
    if not more:
        return []
    hidden = (
        (match[0], line)
        for line in lines.added
        for match in _HIDDEN.finditer(line.text)
        if match[0] in more and not _joins(line.text, match.start())
    )
    return [_finding(*found) for found in islice(hidden, MOST_FINDINGS_OF_A_GUARD)]


def became_binary(change: Change) -> Finding | None:
    """A file that was binary may stay so, or go."""
    if change.after is None or read_text(change.after) is not None:
        return None
    if change.before is not None and read_text(change.before) is None:
        return None
    message = f"{shown(change.path)} would hold NUL characters or bytes of no known encoding"
    return Finding(guard=GuardName.CONTROL_CHARACTERS, message=message)


def _joins(text: str, place: int) -> bool:
    """Emoji and scripts such as Persian need joiners between their own characters."""
    if text[place] not in _JOINERS:
        return False
    around = text[place - 1 : place], text[place + 1 : place + 2]
    return all(_SEEN_BEFORE_JOINER.match(character) and not _HIDDEN.match(character) for character in around)


def _finding(character: str, line: Line) -> Finding:
    message = f"line {line.number} has the hidden character U+{ord(character):04X}: {shown(line.text)}"
    return Finding(guard=GuardName.CONTROL_CHARACTERS, message=message, line=line.number)

"""Which diffs make the same change: equal but for where it is made, and for the names that it leaves alone.

A diff is cut into its blocks of changed lines. In each block, a name that is on removed and on added lines was not
changed, and counts as the first, second, … such name, whatever it is called; a name that is on one side alone is the
change, and stays. Paths, line numbers, context, and how far a block is indented as a whole do not matter; neither does
how often the same block comes, nor in which order.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

_HUNK = re.compile(rb"@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@")
_WORD = re.compile(rb"[A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff]*")
_HEADERS = (b"new file mode ", b"deleted file mode ", b"old mode ", b"new mode ", b"Binary files ", b"GIT binary patch")
_RENAME = b"rename from "
_SIDES = (b"-", b"+")


class DiffFacts(Struct, frozen=True, kw_only=True):
    """A stored diff, in numbers. `group` is None when it was stored before there were groups."""

    repository: str
    group: str | None
    files_changed: int
    lines_added: int
    lines_removed: int


def diff_group(patch: bytes) -> str:
    """Equal for equal changes. `patch` is a unified diff as git writes it."""
    digest = hashlib.sha256()
    for part in sorted({_normal(block) for block in _blocks(patch.split(b"\n"))}):
        digest.update(len(part).to_bytes(8) + part)
    return digest.hexdigest()[:32]


def _blocks(lines: Sequence[bytes]) -> Iterator[list[bytes]]:
    """Runs of changed lines, and lines that say what else becomes of a file."""
    place = 0
    while place < len(lines):
        line = lines[place]
        place += 1
        hunk = _HUNK.match(line)
        if hunk is not None:
            end = _end_of_hunk(lines, place, hunk)
            yield from _blocks_of_hunk(lines[place:end])
            place = end
        elif line == b"GIT binary patch":
            end = _end_of_file(lines, place)
            yield [line, *lines[place:end]]
            place = end
        elif line.startswith(_HEADERS):
            yield [b"Binary files" if line.startswith(b"Binary files ") else line]
        elif line.startswith(_RENAME):
            yield [_RENAME]


def _end_of_hunk(lines: Sequence[bytes], place: int, hunk: re.Match[bytes]) -> int:
    """By the numbers of its header: a removed line may look like a header of its own."""
    old, new = (1 if number is None else int(number) for number in hunk.groups())
    while place < len(lines) and (old > 0 or new > 0 or lines[place].startswith(b"\\")):
        side = lines[place][:1]
        old -= side not in (b"+", b"\\")
        new -= side not in (b"-", b"\\")
        place += 1
    return place


def _end_of_file(lines: Sequence[bytes], place: int) -> int:
    while place < len(lines) and not lines[place].startswith(b"diff --git "):
        place += 1
    return place


def _blocks_of_hunk(lines: Iterable[bytes]) -> Iterator[list[bytes]]:
    block: list[bytes] = []
    for line in lines:
        if line.startswith((b"-", b"+", b"\\")):
            block.append(line)
        elif block:
            yield block
            block = []
    if block:
        yield block


def _normal(block: Sequence[bytes]) -> bytes:
    changed = [line for line in block if line.startswith(_SIDES)]
    if not changed:
        return b"\n".join(block)
    kept = _kept_names(changed)
    indent = min((_indent(line) for line in changed if line[1:].strip()), default=0)
    ending = b"\r" if all(line.endswith(b"\r") for line in changed) else b""
    return b"\n".join(_line(line, indent, ending, kept) for line in block)


def _kept_names(changed: Sequence[bytes]) -> Mapping[bytes, bytes]:
    """Names that are on both sides, with their places in the order in which they first appear."""
    sides = [set(_WORD.findall(b"\n".join(line[1:] for line in changed if line.startswith(side)))) for side in _SIDES]
    both = sides[0] & sides[1]
    ordered = dict.fromkeys(word for line in changed for word in _WORD.findall(line[1:]) if word in both)
    return {word: b"\x00%d\x00" % place for place, word in enumerate(ordered)}


def _indent(line: bytes) -> int:
    return len(line[1:]) - len(line[1:].lstrip(b" \t"))


def _line(line: bytes, indent: int, ending: bytes, kept: Mapping[bytes, bytes]) -> bytes:
    if not line.startswith(_SIDES):
        return line
    text = line[1:].removesuffix(ending)[indent:]
    return line[:1] + _WORD.sub(lambda word: kept.get(word[0], word[0]), text)

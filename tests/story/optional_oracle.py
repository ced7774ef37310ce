"""What `Optional[X]` → `X | None` has to lead to, found with Python's own tokenizer: independent of the stand-in, which
scans text. Both follow the rule that `cody_stand_ins.claude.migrations.optional_to_union` states."""

import io
import keyword
import tokenize
from tokenize import TokenInfo

_OPEN, _CLOSE = frozenset("([{"), frozenset(")]}")
_LAYOUT = {tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.COMMENT}


def rewrite(source: bytes) -> bytes:
    """The file as it has to come out."""
    text = source.decode("utf-8")
    tokens = list(tokenize.generate_tokens(io.StringIO(text, newline="").readline))
    starts = _line_starts(text)
    edits: list[tuple[int, int, str]] = []

    def offset(place: tuple[int, int]) -> int:
        return starts[place[0] - 1] + place[1]

    def rewritten(first: int, last: int) -> str:
        """The text from the first token to the one before `last`, with the occurrences in it rewritten."""
        begin, end = offset(tokens[first].start), offset(tokens[last - 1].end)
        inside = [edit for edit in _occurrences(first, last) if begin <= edit[0] and edit[1] <= end]
        return _replace(text[begin:end], [(start - begin, stop - begin, new) for start, stop, new in inside])

    def _occurrences(first: int, last: int) -> list[tuple[int, int, str]]:
        found: list[tuple[int, int, str]] = []
        at = first
        while at < last:
            close = _subscript_end(tokens, at)
            if (
                close is not None
                and _is_plain(tokens[at + 2 : close])
                and _may_follow(tokens[close], tokens[close + 1])
            ):
                new = f"{rewritten(at + 2, close)} | None"
                found.append((offset(tokens[at].start), offset(tokens[close].end), new))
                at = close
            at += 1
        return found

    edits = _occurrences(0, len(tokens))
    return _replace(text, edits).encode("utf-8")


def _subscript_end(tokens: list[TokenInfo], at: int) -> int | None:
    """The index of the bracket that closes an `Optional[…]` which starts here; None where there is none."""
    if tokens[at].string != "Optional" or tokens[at].type != tokenize.NAME or tokens[at + 1].string != "[":
        return None
    if tokens[at].end != tokens[at + 1].start or (at and tokens[at - 1].string == "."):
        return None
    depth = 0
    for index in range(at + 1, len(tokens)):
        if tokens[index].start[0] != tokens[at].start[0]:
            return None
        depth += (tokens[index].string in _OPEN) - (tokens[index].string in _CLOSE)
        if depth == 0:
            return index
    return None


def _is_plain(inside: list[TokenInfo]) -> bool:
    """Whether X is one type: words, dots and | with brackets after them; no string, no comment, no line break."""
    if any(token.type in _LAYOUT or token.type == tokenize.STRING for token in inside):
        return False
    outer, depth = list[str](), 0
    for token in inside:
        depth -= token.string in _CLOSE
        if depth == 0 and token.string not in _OPEN | _CLOSE:
            outer.append(token.string)
        depth += token.string in _OPEN
    words = [word for word in outer if word not in {".", "|"}]
    if not words or outer == ["None"]:
        return False
    return all(word.isidentifier() and (word == "None" or not keyword.iskeyword(word)) for word in words)


def _may_follow(close: TokenInfo, following: TokenInfo) -> bool:
    return following.start[0] != close.end[0] or following.string not in {"[", "(", "."}


def _line_starts(text: str) -> list[int]:
    starts = [0]
    for line in io.StringIO(text, newline=""):
        starts.append(starts[-1] + len(line))
    return starts


def _replace(text: str, edits: list[tuple[int, int, str]]) -> str:
    for start, end, new in reversed(edits):
        text = text[:start] + new + text[end:]
    return text

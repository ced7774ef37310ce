"""Code that was left out and replaced by a remark that it is still there ("... rest of the code unchanged ...")."""

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import PurePosixPath

from cody_worker.guards.changed_lines import ChangedLines, Line
from cody_worker.guards.finding import MOST_FINDINGS_OF_A_GUARD, Finding, GuardName, shown

_LONGEST_REMARK = 200
_DOTS = r"(?:\.{3,}|…)"
_THING = (
    r"(?:code|files?|functions?|methods?|class(?:es)?|implementations?|body|bodies|modules?|components?|scripts?|"
    r"contents?|logic|imports?|tests?|test cases?|fields?|properties|attributes|definitions?|declarations?|cases|"
    r"handlers?|routes?|rules?|lines?|sections?|parts?|statements?|members?|entries|options|styles|configuration|config|"
    r"setup|stuff|document|page|markup|template|quer(?:y|ies)|blocks?)"
)
_CODE = r"(?:code|functions?|methods?|implementations?|body|logic|imports?|tests?|definitions?)"
_STAYS = (
    r"(?:(?:is|are|stays?|remains?|goes|go|continues?|kept|keeps?|left|comes?|follows?|here|below|above|exactly|all|as|"
    r"it|was|is|were|before|unchanged|untouched|unmodified|the same|same|omitted|elided|truncated|snipped|removed|"
    r"hidden|for brevity|not shown|not changed|no changes?|in the original|original|etc\.?)[\s,;:]*)"
)
_WHOSE = r"(?:(?:the|your|all|any|of|this|that|my|our|its|other|existing|previous|original|remaining|old|current)\s+)"
_SUBJECT = rf"{_WHOSE}{{0,3}}(?:\w+\s+){{0,2}}{_THING}"
_LEFT_OUT = r"(?:unchanged|omitted|elided|truncated|not shown|for brevity|the same)"
_PHRASES = (
    rf"(?:the\s+)?(?:rest|remainder|remaining parts?)\s+(?:of\s+)?{_SUBJECT}[\s,:;-]*{_STAYS}{{0,6}}",
    rf"(?:the\s+)?(?:rest|remainder|everything else|all else|all other \w+)[\s,:;-]*{_STAYS}{{1,6}}",
    rf"(?:the\s+|your\s+|all\s+)?(?:existing|remaining)\s+(?:\w+\s+){{0,2}}{_THING}[\s,:;-]*{_STAYS}{{0,6}}",
    rf"(?:the\s+|your\s+|all\s+)?(?:previous|original)\s+(?:\w+\s+){{0,2}}{_THING}[\s,:;-]*{_STAYS}{{1,6}}",
    rf"(?:the\s+|all\s+)?(?:other|more)\s+(?:\w+\s+){{0,2}}{_THING}[\s,:;-]*{_STAYS}{{1,6}}",
    rf"(?:the\s+)?(?:\w+\s+)?{_THING}\s+{_STAYS}{{0,3}}{_LEFT_OUT}[\s,;:]*{_STAYS}{{0,4}}",
    rf"{_STAYS}{{0,2}}(?:unchanged|omitted|elided|truncated|snip(?:ped)?|unmodified)(?:\s+{_THING})?[\s,;:]*{_STAYS}{{0,3}}",
    rf"(?:same|exactly the same|identical)\s+(?:{_THING}\s+)?(?:as|to)\s+(?:before|above|in the original|the original)",
    r"no\s+(?:other\s+)?changes?\s+(?:here|below|above|needed|from here)",
    rf"(?:keep|leave|insert|paste)\s+(?:(?:the\s+)?rest\s+of\s+)?{_WHOSE}{{1,4}}{_CODE}[\s,:;-]*{_STAYS}{{0,4}}",
    rf"lines?\s+\d+\s*(?:-|–|to|through)\s*\d+\s+{_STAYS}{{1,5}}",
)
_DOTTED_PHRASES = (
    rf"(?:other|more|additional|previous|original|same)\s+(?:\w+\s+){{0,2}}{_THING}[\s,:;-]*{_STAYS}{{0,6}}",
    r"(?:and so on|etc\.?|rest|same|no changes?)",
)
_PHRASE = rf"(?:{'|'.join(_PHRASES)})"
_DOTTED_PHRASE = rf"(?:{'|'.join((*_PHRASES, *_DOTTED_PHRASES))})"
_OPEN, _CLOSE = r"[\s\[({<*=-]*", r"[\s\])}>*=.!-]*"
_REMARK = re.compile(rf"{_OPEN}{_PHRASE}{_CLOSE}", re.IGNORECASE)
_DOTTED_BARE = re.compile(
    rf"{_OPEN}(?:{_DOTS}\s+{_OPEN}{_DOTTED_PHRASE}\s*{_DOTS}?|{_DOTS}\s*{_DOTTED_PHRASE}\s*{_DOTS}){_CLOSE}",
    re.IGNORECASE,
)
_DOTTED_REMARK = re.compile(
    rf"{_OPEN}(?:{_DOTS}\s*{_OPEN}{_DOTTED_PHRASE}\s*{_DOTS}?|{_DOTTED_PHRASE}\s*{_DOTS}){_CLOSE}", re.IGNORECASE
)
_ONLY_DOTS = re.compile(rf"[\s\[({{<]*{_DOTS}[\s\])}}>]*")

_COMMENT_LINE = re.compile(r"\{/\*|\{\{!--|<!--|/\*+|//+!?|#+|--+|;+|%+|\(\*|\*(?!/)|'(?=\s)|REM\s", re.IGNORECASE)
_COMMENT_AFTER_CODE = re.compile(r"(?<=\s)(?:\{/\*|<!--|/\*+|//+|#+)(?=\s)")
_COMMENT_END = re.compile(r"(?:\*+/\}?|--\}\}|-->|\*\)|#+)\s*$")
_PROSE = frozenset({".md", ".markdown", ".mdx", ".txt", ".rst", ".adoc", ".asciidoc", ".org", ".textile"})
_WORDS_OF_REMARKS = re.compile(
    r"\.{3}|…|rest|remain|existing|previous|original|unchanged|omitted|elided|truncated|snip|unmodified|same|identical|"
    r"change|other|else|keep|leave|insert|paste|brevity|lines?\s",
    re.IGNORECASE,
)


def elided_code(lines: ChangedLines, path: str) -> list[Finding]:
    """What stood in the file before, in any place and indentation, is not reported."""
    prose = is_prose(path)
    known = Counter(_remarks(lines.removed, is_prose=prose).values())
    new: list[Line] = []
    for line, remark in _remarks(lines.added, is_prose=prose).items():
        known[remark] -= 1
        new += [line] if known[remark] < 0 else []
    return [_finding(line) for line in new[:MOST_FINDINGS_OF_A_GUARD]]


def _finding(line: Line) -> Finding:
    message = f"line {line.number} stands for code that was left out: {shown(line.text)}"
    return Finding(guard=GuardName.CODE_ELIDED, message=message, line=line.number)


def is_prose(path: str) -> bool:
    """A name in capitals without a suffix is that of a README or a licence."""
    name = PurePosixPath(path)
    return name.suffix.lower() in _PROSE if name.suffix else name.name.isupper()


def _remarks(lines: Iterable[Line], *, is_prose: bool) -> dict[Line, str]:
    found = ((line, _remark(line.text.strip(), is_prose=is_prose)) for line in lines)
    return {line: remark for line, remark in found if remark is not None}


def _remark(text: str, *, is_prose: bool) -> str | None:
    """The part of a line that says so."""
    if not _WORDS_OF_REMARKS.search(text[:_LONGEST_REMARK]):
        return None
    if len(text) <= _LONGEST_REMARK and _DOTTED_BARE.fullmatch(text):
        return text
    comment = _comment(text, is_prose=is_prose)
    if comment is None or len(comment) > _LONGEST_REMARK:
        return None
    shapes = (_ONLY_DOTS, _DOTTED_REMARK, _REMARK)
    return comment if any(shape.fullmatch(comment) for shape in shapes) else None


def _comment(text: str, *, is_prose: bool) -> str | None:
    """The comment of a line without its marks. In prose, only what HTML calls one: `#` and `*` mean other things."""
    whole = _COMMENT_LINE.match(text)
    if whole is not None:
        other = is_prose and not whole[0].startswith(("<!--", "//", "/*"))
        return None if other or _is_bullet(whole[0], text) else _inside(text[whole.end() :])
    if is_prose or len(text) > 10 * _LONGEST_REMARK:
        return None
    after_code = [*_COMMENT_AFTER_CODE.finditer(text)][-1:]
    return _inside(text[after_code[0].end() :]) if after_code else None


def _is_bullet(mark: str, text: str) -> bool:
    """A line within a block comment may be no more than dots, in an example for instance."""
    return mark == "*" and _ONLY_DOTS.fullmatch(text[1:]) is not None


def _inside(comment: str) -> str:
    return _COMMENT_END.sub("", comment[: 2 * _LONGEST_REMARK]).strip()

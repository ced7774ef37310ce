"""Code with a power that the file did not have, and nobody asked for: to run programs, to delete, to call elsewhere."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from msgspec import Struct

from cody_worker.file_text import read_text
from cody_worker.guards.asked import asks_for, spoken
from cody_worker.guards.changed_lines import ChangedLines
from cody_worker.guards.dangerous_texts import TEXTS
from cody_worker.guards.dangers import CALLS
from cody_worker.guards.elided_code import is_prose
from cody_worker.guards.finding import MOST_FINDINGS_OF_A_GUARD, Change, Finding, GuardName, GuardRules, shown
from cody_worker.guards.powers import ASKED_FOR, Dangers, Power
from cody_worker.syntax import Language, language_of
from cody_worker.syntax.without_comments import without_strings

_REMARK = re.compile(r"^[ \t]*(?:#(?!!)|//|--|;|REM\b|rem\b)[^\n]*", re.MULTILINE)
_WORD = re.compile(r"[A-Za-z_]\w{3,}")
_SAYS_NOTHING = frozenset(
    """client code command create database delete directory drop file files function load loads make method name
    open path process read remove request run runtime schema script shell source start system table text time truncate
    write""".split()  # noqa: SIM905 (words read better than a page of literals)
)
"""Words of names that a task may use without a thought of what bears the name."""


class _Danger(Struct, frozen=True, kw_only=True):
    power: Power
    name: str
    line: int


def dangerous_code(change: Change, lines: ChangedLines, rules: GuardRules) -> list[Finding]:
    """What the file had before, in code, is known, and so is what the prompt, the plan or its example names. What took
    the place of something with the same power is no new one."""
    language = language_of(change.path)
    if is_prose(change.path) or not _may_be(lines, language):
        return []
    old, new = ([*_dangers(text, language)] for text in (_before(change, lines), lines.after))
    had, has = (Counter(danger.power for danger in dangers) for dangers in (old, new))
    known = {danger.name for danger in old}
    added = {line.number for line in lines.added}
    unknown = [danger for danger in new if danger.line in added and danger.name not in known]
    more = [danger for danger in unknown if has[danger.power] > had[danger.power]]
    return [_finding(danger) for danger in _once(more) if not _is_granted(danger, lines, rules)][
        :MOST_FINDINGS_OF_A_GUARD
    ]


def _may_be(lines: ChangedLines, language: Language | None) -> bool:
    """A quick look at the new lines alone, as they are."""
    text = "\n".join(line.text for line in lines.added)
    return any(words.search(text) for table in _tables(language) for words in table.values())


def _tables(language: Language | None) -> Sequence[Dangers]:
    return (CALLS.get(language, {}), TEXTS) if language is not None else (TEXTS,)


def _before(change: Change, lines: ChangedLines) -> str:
    if change.before is not None or change.origin is None:
        return lines.before
    origin = read_text(change.origin)
    return "" if origin is None else origin.source


def _dangers(text: str, language: Language | None) -> Iterator[_Danger]:
    if language is None:
        yield from _found(TEXTS, _REMARK.sub("", text))
        return
    with_strings, code = without_strings(language, text)
    yield from _found(CALLS.get(language, {}), code)
    yield from _found(TEXTS, with_strings)


def _found(table: Dangers, code: str) -> Iterator[_Danger]:
    for power, words in table.items():
        line, place = 1, 0
        for match in words.finditer(code):
            start = match.start() + len(match[0]) - len(match[0].lstrip())
            line, place = line + code.count("\n", place, start), start
            yield _Danger(power=power, name=_name(match), line=line)


def _name(match: re.Match[str]) -> str:
    named = next((text for text in match.groupdict().values() if text), match[0])
    return " ".join(named.split()).rstrip(" ([\"'`/") or "backticks"


def _once(dangers: Sequence[_Danger]) -> list[_Danger]:
    """Each name where it stands first."""
    first = {danger.name: danger for danger in sorted(dangers, key=lambda danger: danger.line, reverse=True)}
    return sorted(first.values(), key=lambda danger: (danger.line, danger.name))


def _is_granted(danger: _Danger, lines: ChangedLines, rules: GuardRules) -> bool:
    if asks_for(ASKED_FOR[danger.power], rules) or _is_own(danger.name, lines):
        return True
    said = spoken(rules)
    words = {word for word in _WORD.findall(danger.name) if word.lower() not in _SAYS_NOTHING}
    return any(_has(said, name) for name in (danger.name, *words))


def _is_own(name: str, lines: ChangedLines) -> bool:
    """A function of the file's own may have any name, and so may one that the file imported before."""
    if not name.isidentifier():
        return False
    defined = rf"\b(?:def|function|func|fn|fun|sub|void|int)[ \t]+{name}\b"
    imported = rf"^[ \t]*(?:import|from|const|let|var|use)\b[^\n;]{{0,300}}(?<![\w./\"']){name}\b"
    return any(re.search(defined, text) for text in (lines.before, lines.after)) or (
        re.search(imported, lines.before, re.MULTILINE) is not None
    )


def _has(text: str, name: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text, re.IGNORECASE) is not None


def _finding(danger: _Danger) -> Finding:
    message = (
        f"line {danger.line} {danger.power} ({shown(danger.name)}), which neither the file did nor the task asks for"
    )
    return Finding(guard=GuardName.DANGEROUS_CODE, message=message, line=danger.line)

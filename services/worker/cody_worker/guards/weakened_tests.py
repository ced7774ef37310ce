"""Tests that are gone, do not run any more, or check less."""

import re
from collections import Counter

from msgspec import Struct

from cody_worker.guards.changed_lines import ChangedLines, different_part
from cody_worker.guards.finding import MOST_FINDINGS_OF_A_GUARD, Change, Finding, GuardName, shown
from cody_worker.guards.test_words import TEST_WORDS, TRIVIAL_ASSERTIONS, TestWords
from cody_worker.syntax import Language, language_of
from cody_worker.syntax.without_comments import without_comments

_TEST_FOLDER = re.compile(
    r"(?:^|/)(?:tests?|__tests__|specs?|e2e|testing|unittests?|integrationtests?)/", re.IGNORECASE
)
_TEST_NAME = re.compile(
    r"(?:^|/)(?:test[_-][^/]*|[^/]*[_.-](?:test|tests|spec|e2e|cy)\.[^/]+|[^/]*(?:Tests?|TestCase|Spec|Specs|IT)\.[^/.]+|"
    r"conftest\.py|tests?\.\w+)$"
)
_BLANK = re.compile(r"\s+")
_COMMENT_MARK = re.compile(r"//|/\*|\*/|#|\"{3}|'{3}|=(?:begin|end)\b|__END__")
_CLASS = re.compile(r"^class[ \t]", re.MULTILINE)
_NAME_AFTER = re.compile(r"\b(\w+|`[^`\n]{1,100}`)[ \t]*\([^()]{0,300}\)[^;{}()]{0,200}\{")
_TEST_CLASS = re.compile(r"^class[ \t]+(?:Test\w*|\w+[ \t]*\([^)\n]*TestCase\b)", re.MULTILINE)
_OTHER_CLASS = re.compile(r"^class[ \t]+(?!Test)\w+[ \t]*(?:\((?![^)\n]*TestCase\b)[^)\n]*\))?:", re.MULTILINE)


class _Found(Struct, frozen=True, kw_only=True):
    """What a text has, each with the place of every match in it; before it are `start` lines that did not change."""

    code: str
    start: int
    tests: list[re.Match[str]]
    skips: list[tuple[str, int]]
    assertions: int
    trivial: list[tuple[str, int]]


def weakened_tests(change: Change, lines: ChangedLines) -> list[Finding]:
    """Looks at files that are tests by their path, or have tests. A test may move or get another name in its file; one
    that moves to another file is gone from this one."""
    language = language_of(change.path)
    words = TEST_WORDS.get(language) if language is not None else None
    if language is None or words is None or change.before is None:
        return []
    if not is_test_path(change.path) and not words.tests.search(lines.before):
        return []
    if change.after is None:
        return [_finding(f"the test file {shown(change.path)} is deleted", None)]
    if not _may_weaken(lines, words):
        return []
    before, after = without_comments(language, lines.before), without_comments(language, lines.after)
    start, old, new = different_part(before, after)
    found = _compare(_look(old, words, start), _look(new, words, start))
    return found or (_hidden_classes(old, new) if language is Language.PYTHON else [])


def is_test_path(path: str) -> bool:
    return _TEST_FOLDER.search(path) is not None or _TEST_NAME.search(path) is not None


def _may_weaken(lines: ChangedLines, words: TestWords) -> bool:
    """A quick look at the changed lines alone. What opens or closes a comment changes more than its own line."""
    old, new = ("\n".join(line.text for line in changed) for changed in (lines.removed, lines.added))
    if any(expression.search(text) for expression in (_COMMENT_MARK, _CLASS) for text in (old, new)):
        return True
    return bool(_compare(_look(old, words, 0), _look(new, words, 0)))


def _look(code: str, words: TestWords, start: int) -> _Found:
    return _Found(
        code=code,
        start=start,
        tests=list(words.tests.finditer(code)),
        skips=[(match[0], match.start()) for match in words.skips.finditer(code)],
        assertions=sum(1 for _ in words.assertions.finditer(code)),
        trivial=[(match[0], match.start()) for match in TRIVIAL_ASSERTIONS.finditer(code)],
    )


def _named(found: _Found) -> list[tuple[str, int]]:
    return [(_name(found.code, match), match.start()) for match in found.tests]


def _name(code: str, match: re.Match[str]) -> str:
    named = next((text for text in match.groupdict().values() if text), None)
    if named is not None:
        return named
    after = _NAME_AFTER.search(code, match.end(), match.end() + 600)
    return after[1] if after is not None else match[0]


def _line(found: _Found, place: int) -> int:
    """The line of the first character from there on that is not blank."""
    blank = _BLANK.match(found.code, place)
    return found.start + found.code.count("\n", 0, blank.end() if blank else place) + 1


def _compare(before: _Found, after: _Found) -> list[Finding]:
    findings = [*_lost_tests(before, after)]
    for what, old, new in (("keeps tests from running", before.skips, after.skips), _trivial(before, after)):
        more = _more(old, new)[:MOST_FINDINGS_OF_A_GUARD]
        lines = [(text, _line(after, place)) for text, place in more]
        findings += [_finding(f"line {line} {what}: {shown(text)}", line) for text, line in lines]
    if after.assertions < before.assertions and not findings:
        message = f"the file has {after.assertions} assertions where it had {before.assertions}"
        findings.append(_finding(message, None))
    return findings


def _trivial(before: _Found, after: _Found) -> tuple[str, list[tuple[str, int]], list[tuple[str, int]]]:
    return "asserts what is always true", before.trivial, after.trivial


def _lost_tests(before: _Found, after: _Found) -> list[Finding]:
    if len(after.tests) >= len(before.tests):
        return []
    old, new = _named(before), _named(after)
    text, place = (_more(new, old) or old)[0]
    message = f"the file has {len(after.tests)} tests where it had {len(before.tests)}: {shown(text)!r} is gone"
    return [_finding(message, _line(before, place))]


def _more(old: list[tuple[str, int]], new: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """Those of `new` that `old` has not, as many as there are more of them."""
    left = Counter(text for text, _ in old)
    surplus: list[tuple[str, int]] = []
    for text, place in new:
        left[text] -= 1
        if left[text] < 0:
            surplus.append((text, place))
    return surplus[: max(len(new) - len(old), 0)]


def _hidden_classes(before: str, after: str) -> list[Finding]:
    """pytest runs no class whose name says nothing of a test."""
    old, new = (len(_TEST_CLASS.findall(code)) for code in (before, after))
    old_others, new_others = (len(_OTHER_CLASS.findall(code)) for code in (before, after))
    if new >= old or new_others <= old_others:
        return []
    return [_finding(f"the file has {new} test classes where it had {old}, and others instead", None)]


def _finding(message: str, line: int | None) -> Finding:
    return Finding(guard=GuardName.TESTS_WEAKENED, message=message, line=line)

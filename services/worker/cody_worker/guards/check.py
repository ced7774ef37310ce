"""All guards over one change."""

from collections.abc import Iterable, Iterator
from itertools import pairwise

from cody_worker.guards.added_secret import added_secrets
from cody_worker.guards.change_too_large import change_too_large
from cody_worker.guards.changed_lines import ChangedLines, changed_lines
from cody_worker.guards.control_characters import became_binary, control_characters
from cody_worker.guards.dangerous_code import dangerous_code
from cody_worker.guards.elided_code import elided_code
from cody_worker.guards.finding import MOST_FINDINGS_OF_A_GUARD, Change, Finding, GuardName, GuardRules, shown
from cody_worker.guards.new_dependency import new_dependencies
from cody_worker.guards.new_url import new_urls
from cody_worker.guards.protected_path import protected_path
from cody_worker.guards.restyled_code import restyled_code
from cody_worker.guards.unsafe_path import is_link, unsafe_path
from cody_worker.guards.weakened_tests import weakened_tests
from cody_worker.guards.whitespace_churn import whitespace_churn
from cody_worker.syntax import broken_syntax
from cody_worker.syntax.syntax_errors import SHOWN_CHARACTERS


def check_change(change: Change, rules: GuardRules) -> list[Finding]:
    """What a change may not do, its path first; empty where nothing is wrong. Blocking: a large file takes a second.
    Raises `JobFailed` for a pattern in `rules` that is none."""
    unsafe = unsafe_path(change)
    if unsafe is not None:
        return [unsafe]
    protected = protected_path(change, rules.protect, rules.allow_paths)
    return [*_found(protected), *_content(change, rules)]


def _content(change: Change, rules: GuardRules) -> Iterator[Finding]:
    if change.before == change.after or is_link(change):
        return
    lines = changed_lines(change.before, change.after)
    if lines is None:
        yield from _found(became_binary(change))
        return
    for findings in _guards(change, lines, rules):
        yield from findings[:MOST_FINDINGS_OF_A_GUARD]


def _guards(change: Change, lines: ChangedLines, rules: GuardRules) -> Iterator[list[Finding]]:
    yield _found(_syntax(change, lines.after))
    yield elided_code(lines, change.path)
    yield weakened_tests(change, lines)
    yield _found(whitespace_churn(lines, rules))
    yield _found(restyled_code(lines, change.path, rules))
    yield _found(change_too_large(lines, rules.example, rules.matches))
    yield new_dependencies(change.path, lines, rules)
    yield added_secrets(lines, change.path)
    yield control_characters(lines)
    yield new_urls(lines, rules)
    yield dangerous_code(change, lines, rules)


def _syntax(change: Change, text: str) -> Finding | None:
    if change.after is None:
        return None
    broken = broken_syntax(change.path, change.before, change.after)
    if broken is None:
        return None
    line = _line_of(broken)
    return Finding(guard=GuardName.SYNTAX_ERRORS, message=_quoting_safely(broken, text, line), line=line)


def _quoting_safely(message: str, text: str, line: int | None) -> str:
    """A parser quotes the line as it is."""
    lines = text.split("\n")[line - 1 : line] if line else []
    quoted = "".join(lines).strip()
    return message.replace(quoted[:SHOWN_CHARACTERS], shown(quoted)) if quoted else message


def _line_of(message: str) -> int | None:
    """Every parser names the line in its own words: "line 3: …", "… (at line 3, column 1)"."""
    words = message.replace(":", " ").replace(",", " ").split()
    numbers: Iterable[str] = (number for word, number in pairwise(words) if word.endswith("line"))
    return next((int(number) for number in numbers if number.isdecimal()), None)


def _found(finding: Finding | None) -> list[Finding]:
    return [] if finding is None else [finding]

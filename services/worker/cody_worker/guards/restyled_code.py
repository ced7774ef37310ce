"""Code in another style that nobody asked for: other quotes, trailing commas, semicolons, needless parentheses."""

import re
from collections.abc import Callable, Sequence

from cody_worker.guards.asked import asks_for
from cody_worker.guards.changed_lines import ChangedLines, Pair, bare, pairs_by
from cody_worker.guards.finding import Finding, GuardName, GuardRules
from cody_worker.syntax import Language, language_of

MOST_RESTYLED = 0.2
"""The share of the changed lines that may differ in style alone."""
_FEW_LINES = 3
_MANY_LINES = 12
"""More are too many, whatever changes beside them."""
_ASKED_FOR = re.compile(
    r"quot(?:e|ing|ation)|apostroph|back.?tick|string.?literal|char(?:acter)?.?literal|template.?literal|comma\b|commas\b|"
    r"semi.?colon|parenthes|\bparens?\b|bracket|format(?:t|s|\b)|reformat|\bstyl|\blint|prettier|\bblack\b|\bruff\b|"
    r"eslint|standardjs|rubocop|gofmt|pep.?8|strict json|punctuation",
    re.IGNORECASE,
)
_QUOTES_DIFFER = frozenset(
    {
        Language.BASH,
        Language.C,
        Language.C_SHARP,
        Language.CPP,
        Language.DOCKERFILE,
        Language.GO,
        Language.JAVA,
        Language.JSON,
        Language.KOTLIN,
        Language.RUST,
        Language.SCALA,
        Language.SQL,
        Language.SWIFT,
    }
)
"""There, a quote says what kind of value a text is."""
_QUOTES = str.maketrans("'`", '""')
_END = re.compile(r"[,;]+(?=$|[)\]}])")
_AROUND = re.compile(
    r"(?<![\w.])(return|if|elif|while|assert|not|await|yield|del|throw|=>|(?<![=!<>])=)\(([^()]*(?:\([^()]*\)[^()]*)*)\)"
    r"(?=[:;,{]?$|\{$)"
)


def restyled_code(lines: ChangedLines, path: str, rules: GuardRules) -> Finding | None:
    """White space is the business of another guard. A comma or semicolon that comes with a new line below is none, and
    nothing is where the task speaks of style, or its example shows it."""
    if not lines.before or not lines.after or not lines.removed:
        return None
    style = _style(language_of(path))
    restyled = _restyled(lines, style)
    real = max(len(lines.added), len(lines.removed)) - len(restyled)
    too_many = len(restyled) > _MANY_LINES or not real or len(restyled) > MOST_RESTYLED * (len(restyled) + real)
    if not too_many or (real and len(restyled) <= _FEW_LINES) or not restyled:
        return None
    return None if asks_for(_ASKED_FOR, rules) or _is_shown(rules, style) else _finding(restyled, real)


def _style(language: Language | None) -> Callable[[str], str]:
    """What is left of a line when nothing of its style is."""
    return _without_ends if language in _QUOTES_DIFFER else _without_style


def _without_style(text: str) -> str:
    return _without_ends(text.translate(_QUOTES))


def _without_ends(text: str) -> str:
    return _AROUND.sub(r"\1\2", _END.sub("", bare(text)))


def _restyled(lines: ChangedLines, style: Callable[[str], str]) -> list[Pair]:
    white = pairs_by(bare, lines.removed, lines.added)
    old, new = {pair.old.number for pair in white}, {pair.new.number for pair in white}
    removed = [line for line in lines.removed if line.number not in old]
    added = [line for line in lines.added if line.number not in new]
    restyled = pairs_by(style, removed, added)
    before, after = (text.split("\n") for text in (lines.before, lines.after))
    return [pair for pair in restyled if not _comes_with_a_line(pair, before, after)]


def _comes_with_a_line(pair: Pair, before: Sequence[str], after: Sequence[str]) -> bool:
    """Only its end differs, and what follows it is another line than before."""
    if _END.sub("", bare(pair.old.text)) != _END.sub("", bare(pair.new.text)):
        return False
    return _line_after(pair.old.number, before) != _line_after(pair.new.number, after)


def _line_after(number: int, lines: Sequence[str]) -> str:
    return next((bare(line) for line in lines[number : number + 10] if line.strip()), "")


def _is_shown(rules: GuardRules, style: Callable[[str], str]) -> bool:
    """Whether the plan's example itself is another style of the same."""
    if rules.example is None:
        return False
    old, new = ("\n".join(filter(None, map(style, text.split("\n")))) for text in rules.example)
    return old == new


def _finding(restyled: Sequence[Pair], real: int) -> Finding:
    line = restyled[0].new.number
    message = (
        f"{len(restyled)} lines differ only in quotes, commas, semicolons or parentheses, beside {real} real changes; "
        f"the first is line {line}"
    )
    return Finding(guard=GuardName.RESTYLED_CODE, message=message, line=line)

"""Checks of what narrows a job to files (patterns, a regular expression), and of its model."""

import re
import threading
import warnings
from collections.abc import Sequence

from cody_api.check_text import UNSEEN, has_nul, has_unseen
from cody_api.problems import FieldProblem, shown

PATTERNS_PER_FIELD = 200
PATTERN_LENGTH = 500
MATCH_LENGTH = 2_000

PATTERN_SCHEMA = {
    "pattern": (
        rf"^(?=[^{UNSEEN}]+$)"
        r"(?!#)(?!!?[\s/]*$)(?!!?(?:[^/]*/)*\.\.?(?:/|$))"
        r"(?:[^\\\[]|\\.|\[(?:[!^][^\\\[^]|\[:[a-z]+:\]|[^\\\[!^])(?:\[:[a-z]+:\]|[^\\\[\]])*\])+$"
    )
}
"""In the words of JSON Schema, which cannot say that the ranges in brackets have to go upwards. Of brackets, it knows
the plain ones: no backslash and no other bracket within."""
MATCH_SCHEMA = {"pattern": r"^[^\u0000]+$"}
MODEL = r"^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,127}$"

_WARNINGS = threading.Lock()
"""Filters of warnings belong to the process; checks run in threads."""
_MODEL = re.compile(MODEL)
_ESCAPED = re.compile(r"\\.")
_POSIX_CLASS = re.compile(r"\[:[a-z]+:\]")
_BRACKETS = re.compile(r"\[[!^]?(?P<inside>\]?[^\]]*)(?P<end>\]?)")


def check_patterns(field: str, patterns: Sequence[str]) -> list[FieldProblem]:
    if len(patterns) > PATTERNS_PER_FIELD:
        message = f"has {len(patterns)} patterns; {PATTERNS_PER_FIELD} are allowed"
        return [FieldProblem(field=field, message=message, code="too_many_patterns")]
    return [
        FieldProblem(field=f"{field}[{index}]", message=wrong, code="bad_pattern", value=shown(pattern))
        for index, pattern in enumerate(patterns)
        if (wrong := wrong_with_pattern(pattern))
    ]


def wrong_with_pattern(pattern: str) -> str | None:
    """What makes a gitignore-style pattern unusable: also what git would silently let match nothing."""
    body = pattern.removeprefix("!")
    if not body.strip().strip("/"):
        return "matches nothing"
    if len(pattern) > PATTERN_LENGTH:
        return f"has {len(pattern)} characters; {PATTERN_LENGTH} are allowed"
    if has_unseen(pattern):
        return "has a control character or a line break"
    if pattern.startswith("#"):
        return r"is a comment; write \# for a name that begins with #"
    if ".." in body.split("/") or "." in body.split("/"):
        return "'.' and '..' match nothing: patterns are on paths from the repository's root"
    if (len(pattern) - len(pattern.rstrip("\\"))) % 2:
        return "ends in a backslash that escapes nothing"
    return _wrong_with_brackets(body)


def check_match(expression: str | None) -> list[FieldProblem]:
    if expression is None:
        return []
    if not expression:
        message = "must not be empty; leave it out to match everything"
        return [FieldProblem(field="match", message=message, code="bad_match")]
    if len(expression) > MATCH_LENGTH:
        message = f"has {len(expression)} characters; {MATCH_LENGTH} are allowed"
        return [FieldProblem(field="match", message=message, code="bad_match")]
    wrong = _wrong_with_expression(expression)
    if wrong is not None:
        message = f"is not a Python regular expression: {wrong}"
        return [FieldProblem(field="match", message=message, code="bad_match", value=shown(expression))]
    return has_nul("match", expression)


def check_model(model: str | None) -> list[FieldProblem]:
    if model is None or _MODEL.fullmatch(model):
        return []
    message = "is not the name of a model, such as claude-sonnet-5-5; leave it out for the default"
    return [FieldProblem(field="model", message=message, code="bad_model", value=shown(model))]


def _wrong_with_brackets(pattern: str) -> str | None:
    plain = _POSIX_CLASS.sub("a", _ESCAPED.sub("", pattern))
    for found in _BRACKETS.finditer(plain):
        if not found["end"]:
            return "has a '[' without its ']'"
        if wrong := _wrong_with_expression(f"[{found['inside']}]"):
            return f"has a bad range in brackets: {wrong}"
    return None


def _wrong_with_expression(expression: str) -> str | None:
    try:
        with _WARNINGS, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(expression)
    except (re.error, OverflowError, RecursionError) as error:
        return str(error) or type(error).__name__
    return None

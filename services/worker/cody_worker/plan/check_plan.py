"""What makes a plan of Claude's unusable, told so that Claude can do better."""

import re
from collections.abc import Iterator, Sequence

import pathspec

from cody_jobs.plan import LANGUAGES, Plan
from cody_worker.plan.plan_tool import Problems
from cody_worker.plan.try_expressions import try_expressions

_MOST_PATTERNS = 200
_PATTERN_LENGTH = 500
_EXPRESSION_LENGTH = 2_000
_TEXT_LENGTH = 10_000
_ANY_PATHS = ("a", "LICENSE", ".b/c", "d/e.f", "g/h/i.j.k")
"""No pattern that is meant for something matches all of these."""


async def check_plan(plan: Plan) -> Problems | None:
    """Everything that is wrong with it, or None."""
    found = [*_lengths(plan), *_wrong_patterns(plan), *_wrong_languages(plan), *_wrong_conditions(plan)]
    if not found:
        found = [*await _wrong_expressions(plan), *_everything(plan)]
    return Problems(found=tuple(found)) if found else None


def _lengths(plan: Plan) -> Iterator[str]:
    lists = {"include": plan.include, "exclude": plan.exclude, "matches": plan.matches, "remaining": plan.remaining}
    for field, entries in lists.items():
        longest = _EXPRESSION_LENGTH if field in {"matches", "remaining"} else _PATTERN_LENGTH
        if len(entries) > _MOST_PATTERNS or any(len(entry) > longest for entry in entries):
            yield f"{field}: at most {_MOST_PATTERNS} entries of at most {longest} characters each."
    texts = [plan.change, *((plan.example.before, plan.example.after) if plan.example else ())]
    if any(len(text) > _TEXT_LENGTH for text in texts):
        yield f"change and example: at most {_TEXT_LENGTH} characters each."


def _wrong_patterns(plan: Plan) -> Iterator[str]:
    conditions = [path for condition in plan.leave_alone for path in condition.paths]
    for field, patterns in (("include", plan.include), ("exclude", plan.exclude), ("leave_alone", conditions)):
        for pattern in patterns:
            wrong = _wrong_with_pattern(pattern)
            if wrong is not None:
                yield f"{field}: the pattern {pattern!r} {wrong}."


def _wrong_with_pattern(pattern: str) -> str | None:
    if not pattern.strip().strip("/!") or pattern.startswith("#"):
        return "matches nothing"
    if ".." in pattern.split("/"):
        return "matches nothing: patterns are on paths from the repository's root"
    try:
        pathspec.GitIgnoreSpec.from_lines([pattern])
    except (ValueError, re.error) as error:
        return f"cannot be read: {error}"
    return None


def _wrong_languages(plan: Plan) -> Iterator[str]:
    for language in plan.languages:
        if language not in LANGUAGES:
            yield f"languages: there is no {language!r}; there are {', '.join(sorted(LANGUAGES))}."


def _wrong_conditions(plan: Plan) -> Iterator[str]:
    for condition in plan.leave_alone:
        if not condition.reason or not condition.paths:
            yield "leave_alone: each condition needs a reason and at least one path."


async def _wrong_expressions(plan: Plan) -> list[str]:
    conditions = [condition.pattern for condition in plan.leave_alone if condition.pattern is not None]
    fields = [
        *(("matches", expression) for expression in plan.matches),
        *(("remaining", expression) for expression in plan.remaining),
        *(("leave_alone", expression) for expression in conditions),
    ]
    tried = await try_expressions([expression for _, expression in fields])
    return [
        f"{field}: {expression!r} {wrong}." for (field, expression), wrong in zip(fields, tried, strict=True) if wrong
    ]


def _everything(plan: Plan) -> Iterator[str]:
    if plan.languages or plan.matches or (plan.include and not _matches_everything(plan.include)):
        return
    yield (
        "The plan chooses every file of every repository. Narrow it: by include, by languages, or by an expression in "
        "matches that the text of every concerned file has."
    )


def _matches_everything(patterns: Sequence[str]) -> bool:
    spec = pathspec.GitIgnoreSpec.from_lines(patterns)
    return all(spec.match_file(path) for path in _ANY_PATHS)

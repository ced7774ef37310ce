"""A plan as clients send it, within a job or on its own, and everything that can be wrong with it."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from cody_api.check_scope import (
    MATCH_LENGTH,
    MATCH_SCHEMA,
    PATTERN_LENGTH,
    PATTERN_SCHEMA,
    PATTERNS_PER_FIELD,
    check_match,
    check_patterns,
)
from cody_api.check_text import PROMPT_SCHEMA, has_nul
from cody_api.parse_body import parse_body, wrong_type
from cody_api.problems import FieldProblem, shown
from cody_jobs.plan import LANGUAGES, Extent, Plan

Check = Callable[[str, Any], list[FieldProblem]]
"""Is given the field's name and its value."""

REASON_LENGTH = 500
TEXT_LENGTH = 10_000

Pattern = Annotated[str, Meta(min_length=1, max_length=PATTERN_LENGTH, extra_json_schema=PATTERN_SCHEMA)]
Patterns = Annotated[tuple[Pattern, ...], Meta(max_length=PATTERNS_PER_FIELD)]
Expression = Annotated[str, Meta(min_length=1, max_length=MATCH_LENGTH, extra_json_schema=MATCH_SCHEMA)]
Expressions = Annotated[tuple[Expression, ...], Meta(max_length=PATTERNS_PER_FIELD)]
Language = Annotated[str, Meta(extra_json_schema={"enum": sorted(LANGUAGES)})]
Text = Annotated[str, Meta(max_length=TEXT_LENGTH, extra_json_schema={"pattern": r"^[^\u0000]*$"})]
Reason = Annotated[str, Meta(min_length=1, max_length=REASON_LENGTH, extra_json_schema=PROMPT_SCHEMA)]


class PreconditionRequest(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A repository is left alone when it has a file of these paths whose text matches the pattern (none: any text), or,
    with `missing`, when it has none."""

    reason: Annotated[Reason, Meta(description="Becomes the reason of the repository's `no_changes`.")]
    paths: Annotated[Patterns, Meta(min_length=1, description="gitignore-style patterns.")]
    pattern: Expression | None = None
    missing: bool = False


class ExampleRequest(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The change on a few lines."""

    before: Text
    after: Text


class PlanRequest(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Which files a job concerns, and how they are changed; carried out in every repository without asking."""

    include: Annotated[Patterns, Meta(description="gitignore-style patterns on paths; none: every path.")] = ()
    exclude: Annotated[Patterns, Meta(description="No files whose path matches one of these.")] = ()
    languages: Annotated[
        tuple[Language, ...], Meta(description="Only files of these languages, told by their names; none: all.")
    ] = ()
    matches: Annotated[
        Expressions,
        Meta(description="Python regular expressions (MULTILINE), one of which a file's text must match; none: any."),
    ] = ()
    leave_alone: Annotated[
        tuple[PreconditionRequest, ...],
        Meta(max_length=PATTERNS_PER_FIELD, description="Repositories that are not touched."),
    ] = ()
    extent: Annotated[Extent, Meta(description="How much of a file is needed to change it.")] = Extent.FILE
    change: Annotated[Text, Meta(description="How a file is changed, for Claude, beside the prompt.")] = ""
    example: ExampleRequest | None = None
    remaining: Annotated[
        Expressions, Meta(description="The completion query: what matches nothing any more where all is done.")
    ] = ()

    def plan(self) -> Plan:
        return msgspec.convert(msgspec.to_builtins(self), Plan)


def parse_plan(body: bytes) -> Plan:
    """Raise `ProblemError` naming every field that is wrong."""
    fields = {name: (kind, partial(check, name)) for name, (kind, check) in _FIELDS.items()}
    return parse_body(body, PlanRequest, fields).plan()


def check_plan(plan: Mapping[str, object] | None) -> list[FieldProblem]:
    """Of a job's field `plan`."""
    if plan is None:
        return []
    problems = [_unknown(f"plan.{shown(name)}") for name in plan if name not in _FIELDS]
    for name, (kind, check) in _FIELDS.items():
        if name in plan:
            problems += _check_as(kind, f"plan.{name}", plan[name], check)
    return problems


def _check_as(kind: object, field: str, value: object, check: Check) -> list[FieldProblem]:
    try:
        return check(field, msgspec.convert(value, kind))
    except msgspec.ValidationError as error:
        return [wrong_type(field, str(error))]


class _Condition(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    reason: str
    paths: list[str]
    pattern: str | None = None
    missing: bool = False


class _Example(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    before: str
    after: str


def _check_languages(field: str, languages: Sequence[str]) -> list[FieldProblem]:
    message = f"there is no such language; there are {', '.join(sorted(LANGUAGES))}"
    return [
        FieldProblem(field=f"{field}[{index}]", message=message, code="unknown_language", value=shown(language))
        for index, language in enumerate(languages)
        if language not in LANGUAGES
    ]


def _check_expressions(field: str, expressions: Sequence[str]) -> list[FieldProblem]:
    if len(expressions) > PATTERNS_PER_FIELD:
        return [_too_many(field, len(expressions))]
    return [
        problem
        for index, expression in enumerate(expressions)
        for problem in _check_expression(f"{field}[{index}]", expression)
    ]


def _check_expression(field: str, expression: str | None) -> list[FieldProblem]:
    return [replace(problem, field=field) for problem in check_match(expression)]


def _check_conditions(field: str, conditions: Sequence[object]) -> list[FieldProblem]:
    if len(conditions) > PATTERNS_PER_FIELD:
        return [_too_many(field, len(conditions))]
    return [
        problem
        for index, condition in enumerate(conditions)
        for problem in _check_as(_Condition, f"{field}[{index}]", condition, _check_condition)
    ]


def _check_condition(field: str, condition: _Condition) -> list[FieldProblem]:
    return [
        *_check_reason(f"{field}.reason", condition.reason),
        *_check_paths(f"{field}.paths", condition.paths),
        *_check_expression(f"{field}.pattern", condition.pattern),
    ]


def _check_reason(field: str, reason: str) -> list[FieldProblem]:
    if not reason.strip():
        return [FieldProblem(field=field, message="must not be empty or blank", code="empty_reason")]
    return _check_text(field, reason, most=REASON_LENGTH)


def _check_paths(field: str, paths: Sequence[str]) -> list[FieldProblem]:
    if not paths:
        return [FieldProblem(field=field, message="needs at least one pattern", code="no_paths")]
    return check_patterns(field, paths)


def _check_example(field: str, example: object) -> list[FieldProblem]:
    return _check_as(_Example | None, field, example, _check_texts)


def _check_texts(field: str, example: _Example | None) -> list[FieldProblem]:
    if example is None:
        return []
    return [*_check_text(f"{field}.before", example.before), *_check_text(f"{field}.after", example.after)]


def _check_text(field: str, text: str, *, most: int = TEXT_LENGTH) -> list[FieldProblem]:
    if len(text) > most:
        message = f"has {len(text)} characters; {most} are allowed"
        return [FieldProblem(field=field, message=message, code="text_too_long")]
    return has_nul(field, text)


def _check_extent(field: str, extent: str) -> list[FieldProblem]:
    if extent in list(Extent):
        return []
    message = f"there is no such extent; there are {', '.join(Extent)}"
    return [FieldProblem(field=field, message=message, code="unknown_extent", value=shown(extent))]


def _unknown(field: str) -> FieldProblem:
    message = f"there is no such field; there are {', '.join(_FIELDS)}"
    return FieldProblem(field=field, message=message, code="unknown_field")


def _too_many(field: str, number: int) -> FieldProblem:
    message = f"has {number} entries; {PATTERNS_PER_FIELD} are allowed"
    return FieldProblem(field=field, message=message, code="too_many_patterns")


_FIELDS: Mapping[str, tuple[object, Check]] = {
    "include": (list[str], check_patterns),
    "exclude": (list[str], check_patterns),
    "languages": (list[str], _check_languages),
    "matches": (list[str], _check_expressions),
    "leaveAlone": (list[object], _check_conditions),
    "extent": (str, _check_extent),
    "change": (str, _check_text),
    "example": (object, _check_example),
    "remaining": (list[str], _check_expressions),
}
"""The loosest type of each field that its check takes."""

"""Checks of what is said of a job's sample, and of which runs are worked on again."""

from collections.abc import Sequence
from enum import StrEnum

from cody_api.check_text import check_prompt
from cody_api.problems import FieldProblem, shown
from cody_jobs.models import FailureCode, RunOutcome

SAMPLE_SIZE = 100
GLOBS, GLOB_LENGTH = 100, 200
GLOB_SCHEMA = {"pattern": r"^[A-Za-z0-9_.*?\[\]!/-]+$"}

_GLOB_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.*?[]!/-")


def check_sample(size: int | None) -> list[FieldProblem]:
    if size is None or 1 <= size <= SAMPLE_SIZE:
        return []
    message = f"must be from 1 to {SAMPLE_SIZE}, or null for none"
    return [FieldProblem(field="sample", message=message, code="bad_sample", value=shown(str(size)))]


def check_new_prompt(prompt: str | None) -> list[FieldProblem]:
    return [] if prompt is None else check_prompt(prompt)


def check_codes(codes: Sequence[str]) -> list[FieldProblem]:
    return _unknown("codes", codes, FailureCode)


def check_outcomes(outcomes: Sequence[str]) -> list[FieldProblem]:
    return _unknown("outcomes", outcomes, RunOutcome)


def check_globs(globs: Sequence[str]) -> list[FieldProblem]:
    if len(globs) > GLOBS:
        message = f"has {len(globs)}; {GLOBS} are allowed"
        return [FieldProblem(field="repositories", message=message, code="too_many_patterns")]
    message = f"is not a glob on owner/name of 1 to {GLOB_LENGTH} characters"
    return [
        FieldProblem(field=f"repositories[{place}]", message=message, code="bad_pattern", value=shown(glob))
        for place, glob in enumerate(globs)
        if not 0 < len(glob) <= GLOB_LENGTH or not _GLOB_CHARACTERS.issuperset(glob)
    ]


def _unknown(field: str, values: Sequence[str], known: type[StrEnum]) -> list[FieldProblem]:
    return [
        FieldProblem(
            field=f"{field}[{place}]",
            message=f"there is no such value; there are {', '.join(known)}",
            code="unknown_value",
            value=shown(value),
        )
        for place, value in enumerate(values)
        if value not in list(known)
    ]

"""Checks of a job's steps, and of what verifies and judges their result."""

from collections.abc import Sequence

from cody_api.check_text import has_nul
from cody_api.problems import FieldProblem, shown
from cody_jobs.steps import STEPS_PER_JOB, CodemodStep, EditStep, Judge, Step, VerifyStep

MOST_ROUNDS = 10
_ORDER: Sequence[type[Step]] = (CodemodStep, EditStep, VerifyStep)


def check_steps(steps: Sequence[Step]) -> list[FieldProblem]:
    if len(steps) > STEPS_PER_JOB:
        message = f"has {len(steps)}; {STEPS_PER_JOB} are allowed"
        return [FieldProblem(field="steps", message=message, code="too_many_steps")]
    commands = [problem for place, step in enumerate(steps) for problem in _check_command(place, step)]
    return [*commands, *_check_order(steps)]


def check_rounds(rounds: int) -> list[FieldProblem]:
    if 0 <= rounds <= MOST_ROUNDS:
        return []
    message = f"must be from 0 to {MOST_ROUNDS}"
    return [FieldProblem(field="verifyRounds", message=message, code="bad_rounds", value=shown(str(rounds)))]


def check_judge(judge: str) -> list[FieldProblem]:
    if judge in list(Judge):
        return []
    message = f"there is no such value; there are {', '.join(Judge)}"
    return [FieldProblem(field="judge", message=message, code="unknown_value", value=shown(judge))]


def _check_command(place: int, step: Step) -> list[FieldProblem]:
    """Lengths are the type's own matter."""
    if isinstance(step, EditStep):
        return []
    return [
        problem for number, word in enumerate(step.argv) for problem in has_nul(f"steps[{place}].argv[{number}]", word)
    ]


def _check_order(steps: Sequence[Step]) -> list[FieldProblem]:
    """Codemods cost nothing, so they come first; a check is one of the result."""
    places = [_ORDER.index(type(step)) for step in steps]
    if places != sorted(places):
        message = "must be in this order: codemods, the edit, verify commands"
        return [FieldProblem(field="steps", message=message, code="bad_order")]
    if places and max(places) == _ORDER.index(VerifyStep) == min(places):
        message = "there is nothing to verify: add an edit or a codemod"
        return [FieldProblem(field="steps", message=message, code="nothing_to_do")]
    if places.count(_ORDER.index(EditStep)) > 1:
        message = "there can be one edit step: it is what the prompt says"
        return [FieldProblem(field="steps", message=message, code="too_many_edits")]
    return []

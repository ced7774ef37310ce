"""Checks of a job's name, type and prompt."""

from cody_api.problems import FieldProblem, shown
from cody_jobs.models import JobType

NAME_LENGTH = 200
PROMPT_LENGTH = 100_000


def check_name(name: str) -> list[FieldProblem]:
    if not name.strip():
        return [FieldProblem(field="name", message="must not be empty", code="empty_name")]
    if len(name) > NAME_LENGTH:
        message = f"has {len(name)} characters; {NAME_LENGTH} are allowed"
        return [FieldProblem(field="name", message=message, code="name_too_long")]
    if not name.isprintable():
        message = "must be one line, without control characters"
        return [FieldProblem(field="name", message=message, code="unprintable_name", value=shown(repr(name)))]
    return []


def check_type(name: str) -> list[FieldProblem]:
    if name in list(JobType):
        return []
    message = f"there is no job type {shown(name)!r}; there are {', '.join(JobType)}"
    return [FieldProblem(field="type", message=message, code="unknown_job_type", value=shown(name))]


def check_prompt(prompt: str) -> list[FieldProblem]:
    if not prompt.strip():
        return [FieldProblem(field="prompt", message="must not be empty or blank", code="empty_prompt")]
    if len(prompt) > PROMPT_LENGTH:
        message = f"has {len(prompt)} characters; {PROMPT_LENGTH} are allowed"
        return [FieldProblem(field="prompt", message=message, code="prompt_too_long")]
    return has_nul("prompt", prompt)


def has_nul(field: str, text: str) -> list[FieldProblem]:
    """PostgreSQL's text cannot hold U+0000, and no prompt or pattern needs it."""
    if "\0" not in text:
        return []
    message = f"has the character U+0000 at position {text.index(chr(0))}"
    return [FieldProblem(field=field, message=message, code="nul_character")]

"""Checks of a job's name, type and prompt."""

import re

from cody_api.problems import FieldProblem, shown
from cody_jobs.models import JobType

NAME_LENGTH = 200
PROMPT_LENGTH = 100_000

UNSEEN = r"\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff0-\ufffb\ufffe\uffff"
"""For brackets of regular expressions (Python's, and JSON Schema's): control characters, line breaks, and what is not
seen but changes how a line is shown."""

NAME_SCHEMA = {"pattern": rf"^(?=.*\S)[^{UNSEEN}]+$"}
PROMPT_SCHEMA = {"pattern": r"^[^\u0000]*[^\s\u0000\u001c-\u001f\u0085][^\u0000]*$"}

_UNSEEN = re.compile(f"[{UNSEEN}]")


def check_name(name: str) -> list[FieldProblem]:
    if not name.strip():
        return [FieldProblem(field="name", message="must not be empty", code="empty_name")]
    if len(name) > NAME_LENGTH:
        message = f"has {len(name)} characters; {NAME_LENGTH} are allowed"
        return [FieldProblem(field="name", message=message, code="name_too_long")]
    if has_unseen(name):
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


def has_unseen(text: str) -> bool:
    return _UNSEEN.search(text) is not None


def has_nul(field: str, text: str) -> list[FieldProblem]:
    """PostgreSQL's text cannot hold U+0000, and no prompt or pattern needs it."""
    if "\0" not in text:
        return []
    message = f"has the character U+0000 at position {text.index(chr(0))}"
    return [FieldProblem(field=field, message=message, code="nul_character")]

"""The steps of a job, in the order in which they are done in a repository, and how it spends."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

STEPS_PER_JOB = 20
WORDS_PER_COMMAND = 100
WORD_LENGTH = 4_096

Word = Annotated[str, Meta(min_length=1, max_length=WORD_LENGTH, extra_json_schema={"pattern": r"^[^\u0000]+$"})]
Argv = Annotated[
    tuple[Word, ...],
    Meta(
        min_length=1,
        max_length=WORDS_PER_COMMAND,
        description="A program and its arguments, as it is started in the work tree; no shell.",
        examples=[["ast-grep", "run", "-p", "a($A)", "-r", "b($A)", "-l", "python", "-U", "."]],
    ),
]


class CodemodStep(
    Struct, frozen=True, kw_only=True, rename="camel", tag="codemod", tag_field="kind", forbid_unknown_fields=True
):
    """A command that changes the work tree, in the sandbox: it costs nothing."""

    argv: Argv


class EditStep(
    Struct, frozen=True, kw_only=True, rename="camel", tag="edit", tag_field="kind", forbid_unknown_fields=True
):
    """Claude is asked about every candidate file."""


class VerifyStep(
    Struct, frozen=True, kw_only=True, rename="camel", tag="verify", tag_field="kind", forbid_unknown_fields=True
):
    """A command that has to succeed on the changed work tree (tests, a build, a linter), in the sandbox."""

    argv: Argv


Step = CodemodStep | EditStep | VerifyStep


def codemods_of(steps: Sequence[Step]) -> list[tuple[str, ...]]:
    return [step.argv for step in steps if isinstance(step, CodemodStep)]


def verify_commands_of(steps: Sequence[Step]) -> list[tuple[str, ...]]:
    return [step.argv for step in steps if isinstance(step, VerifyStep)]


def asks_claude(steps: Sequence[Step]) -> bool:
    """Without any step, a job is one edit."""
    return not steps or any(isinstance(step, EditStep) for step in steps)


def has_commands(steps: Sequence[Step]) -> bool:
    return any(isinstance(step, CodemodStep | VerifyStep) for step in steps)


class Lane(StrEnum):
    """`economy`: the Message Batches API, at half the price, for work that can wait up to a day."""

    STANDARD = "standard"
    ECONOMY = "economy"


class Judge(StrEnum):
    """Whether Claude compares each repository's diff with the prompt, and what its verdict is worth."""

    OFF = "off"
    ADVISES = "advises"
    DECIDES = "decides"

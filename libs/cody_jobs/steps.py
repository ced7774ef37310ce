"""The steps of a job, in the order in which they are done in a repository, and how it spends."""

from enum import StrEnum

from msgspec import Struct


class CodemodStep(Struct, frozen=True, kw_only=True, rename="camel", tag="codemod", tag_field="kind"):
    """A command that changes the work tree, in the sandbox: it costs nothing."""

    argv: tuple[str, ...]


class EditStep(Struct, frozen=True, kw_only=True, rename="camel", tag="edit", tag_field="kind"):
    """What Claude is asked about every candidate file; without a `prompt` of its own, the job's."""

    prompt: str | None = None


class VerifyStep(Struct, frozen=True, kw_only=True, rename="camel", tag="verify", tag_field="kind"):
    """A command that has to succeed on the changed work tree (tests, a build, a linter), in the sandbox."""

    argv: tuple[str, ...]


Step = CodemodStep | EditStep | VerifyStep


class Lane(StrEnum):
    """`economy`: the Message Batches API, at half the price, for work that can wait up to a day."""

    STANDARD = "standard"
    ECONOMY = "economy"


class Judge(StrEnum):
    """Whether Claude compares each repository's diff with the prompt, and what its verdict is worth."""

    OFF = "off"
    ADVISES = "advises"
    DECIDES = "decides"

"""What a guard looks at, and what it says."""

from enum import StrEnum

from msgspec import Struct

from cody_jobs.models import JobType
from cody_worker.guards.secret_shapes import without_secrets

MOST_FINDINGS_OF_A_GUARD = 10
"""Who reads ten knows enough; a hostile file may have a hundred thousand."""
_SHOWN_CHARACTERS = 120
_READ_CHARACTERS = 4_000
_BLANK_LETTERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0")


class GuardName(StrEnum):
    """Users see these: never rename one."""

    UNSAFE_PATH = "unsafe_path"
    PROTECTED_PATH = "protected_path"
    SYNTAX_ERRORS = "syntax_errors"
    CODE_ELIDED = "code_elided"
    TESTS_WEAKENED = "tests_weakened"
    WHITESPACE_CHURN = "whitespace_churn"
    CHANGE_TOO_LARGE = "change_too_large"
    NEW_DEPENDENCY = "new_dependency"
    SECRET_ADDED = "secret_added"  # noqa: S105 (a name)
    CONTROL_CHARACTERS = "control_characters"
    NEW_URL = "new_url"
    RESTYLED_CODE = "restyled_code"
    DANGEROUS_CODE = "dangerous_code"


class Finding(Struct, frozen=True, kw_only=True):
    """`message` says exactly what is wrong and where; `line` counts from 1, in the new text (in the old one for what is
    gone), and is None where no line is to blame."""

    guard: GuardName
    message: str
    line: int | None = None


class Change(Struct, frozen=True, kw_only=True):
    """What became of one file. `before` is None for one that is made, `after` for one that is deleted; modes are git's.
    A renamed file is one change under its new path: with two, its tests would seem to be deleted. `origin` is the file
    that a new one was made out of."""

    path: str
    before: bytes | None
    after: bytes | None
    origin: bytes | None = None
    mode_before: int | None = None
    mode_after: int | None = None


class GuardRules(Struct, frozen=True, kw_only=True):
    """`protect` and `allow_paths` are gitignore-style patterns; what is allowed is not protected. `plan` is what
    the plan says of the change, `example` old and new text of one place as it would change it, `matches` the number of
    such places in the file."""

    protect: tuple[str, ...] = ()
    allow_paths: tuple[str, ...] = ()
    job_type: JobType
    prompt: str
    plan: str = ""
    example: tuple[str, str] | None = None
    matches: int | None = None


def shown(text: str) -> str:
    """A piece of a file as a message may quote it: without secrets, cut, and with nothing that a terminal or a reader
    would not see."""
    cut = without_secrets(text.strip()[:_READ_CHARACTERS])[:_SHOWN_CHARACTERS]
    return "".join(character if _is_seen(character) else f"\\u{ord(character):04x}" for character in cut)


def _is_seen(character: str) -> bool:
    return character.isprintable() and character not in _BLANK_LETTERS

"""Names of repositories (`owner/name`), and which of them may be worked on."""

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase

from cody_jobs.errors import JobRejected

REPOSITORIES_PER_JOB = 10_000
"""As many children as one AWS Batch array job can have (AWS Batch service quotas), were each run alone in its shard."""

_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")


class BadRepositoryName(JobRejected):
    """This is not the name of a repository: owner/name, of letters, digits, dot, dash and underscore."""

    code = "bad_repository_name"


def check_repository_name(name: str) -> str:
    """Return the name, or raise `BadRepositoryName` saying what is wrong with it."""
    parts = name.split("/")
    if len(parts) != 2:
        raise BadRepositoryName(f"{name!r} is not of the form owner/name")
    for part in parts:
        if not _PART.fullmatch(part) or ".." in part or part.endswith((".", ".git", ".lock")):
            raise BadRepositoryName(
                f"{part!r} in {name!r}: letters, digits, '.', '-' and '_' only, beginning with a letter, digit or '_', "
                "without '..', not ending in '.', '.git' or '.lock'"
            )
    return name


def is_allowed(name: str, patterns: Sequence[str]) -> bool:
    """Whether a glob of the list matches; an empty list allows nothing. Case does not matter: code hosts ignore it."""
    return any(fnmatchcase(name.lower(), pattern.lower()) for pattern in patterns)

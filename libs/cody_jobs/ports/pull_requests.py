"""Pull requests of a code host, as publishing and following them needs them."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from msgspec import Struct


class PullState(StrEnum):
    OPEN = "open"
    CLOSED = "closed"
    MERGED = "merged"


class Checks(StrEnum):
    """Of a pull request's newest commit, all together. `none`: nothing is checked."""

    NONE = "none"
    PENDING = "pending"
    PASSED = "passed"
    FAILED = "failed"


class Review(StrEnum):
    """`none`: nobody has said anything, and nobody has to."""

    NONE = "none"
    REQUIRED = "required"
    APPROVED = "approved"
    CHANGES_REQUESTED = "changes_requested"


class Conflicts(StrEnum):
    """Whether it can be merged without any; `unknown`: the host has not looked yet."""

    UNKNOWN = "unknown"
    NONE = "none"
    SOME = "some"


class MergeMethod(StrEnum):
    MERGE = "merge"
    SQUASH = "squash"
    REBASE = "rebase"


class PullName(Struct, frozen=True, kw_only=True, order=True):
    """`repository#number`, as people write it."""

    repository: str
    number: int

    def __str__(self) -> str:
        return f"{self.repository}#{self.number}"


class Head(Struct, frozen=True, kw_only=True):
    """A branch; `owner` of the repository that it is in, which is another one's for a fork."""

    owner: str
    branch: str


class NewPull(Struct, frozen=True, kw_only=True):
    repository: str
    head: Head
    base: str
    title: str
    body: str
    draft: bool = False


class Pull(Struct, frozen=True, kw_only=True):
    """A pull request. `id` is the host's own name for it, `head_repository` None where its fork is gone."""

    name: PullName
    id: str
    url: str
    state: PullState
    draft: bool
    title: str
    body: str
    head: Head
    head_repository: str | None
    head_commit: str
    base: str
    author: str | None = None


class PullView(Struct, frozen=True, kw_only=True):
    """What following needs of one of many. `commits` counts those of its branch."""

    name: PullName
    id: str
    url: str
    state: PullState
    draft: bool
    head_branch: str
    head_commit: str
    base: str
    conflicts: Conflicts
    checks: Checks
    review: Review
    behind: bool
    auto_merge: bool
    labels: tuple[str, ...]
    merged_at: datetime | None = None
    closed_at: datetime | None = None
    merge_commit: str | None = None


class Touches(Struct, frozen=True, kw_only=True):
    """What may be set beside title and text. `milestone` is a title. None, or nothing: is left as it is."""

    labels: Sequence[str] = ()
    assignees: Sequence[str] = ()
    reviewers: Sequence[str] = ()
    teams: Sequence[str] = ()
    milestone: str | None = None


class FailedCheck(Struct, frozen=True, kw_only=True):
    """`log` is the end of what it printed, or its own summary; empty where the host gives neither."""

    name: str
    conclusion: str
    url: str | None
    log: str

"""What a repository and a pull request are made of, in memory."""

from datetime import datetime
from pathlib import Path

from msgspec import Struct, field

from cody_stand_ins.github.identities import Level


class Protection(Struct, kw_only=True, rename="camel"):
    """Of one branch. `restrict_pushes`: nobody may push to it, only merge into it."""

    restrict_pushes: bool = True
    required_reviews: int = 0
    required_checks: tuple[str, ...] = ()
    strict: bool = False


class CheckRun(Struct, kw_only=True):
    id: int
    name: str
    status: str
    conclusion: str | None
    summary: str | None
    log: str
    started_at: datetime
    app: str = "github-actions"


class CommitStatus(Struct, kw_only=True):
    id: int
    context: str
    state: str
    description: str | None
    created_at: datetime


class Comment(Struct, kw_only=True):
    id: int
    login: str
    body: str
    created_at: datetime
    updated_at: datetime


class Review(Struct, kw_only=True):
    id: int
    login: str
    state: str
    body: str
    commit: str
    submitted_at: datetime


class Label(Struct, kw_only=True):
    id: int
    name: str
    color: str = "ededed"
    description: str | None = None


class Milestone(Struct, kw_only=True):
    id: int
    number: int
    title: str
    created_at: datetime


class AutoMerge(Struct, kw_only=True):
    login: str
    method: str
    enabled_at: datetime
    title: str
    message: str


class Pull(Struct, kw_only=True):
    """`head` is the repository of the branch `head_ref`; None when that was deleted. `known` is the pair of commits
    for which `mergeable` was computed."""

    id: int
    number: int
    login: str
    title: str
    body: str | None
    head: str | None
    head_owner: str
    head_ref: str
    head_sha: str
    base_ref: str
    base_sha: str
    draft: bool
    created_at: datetime
    updated_at: datetime
    maintainer_can_modify: bool = False
    state: str = "open"
    merged_by: str | None = None
    merged_at: datetime | None = None
    closed_at: datetime | None = None
    merge_commit: str | None = None
    labels: list[str] = []
    assignees: list[str] = []
    reviewers: list[str] = []
    teams: list[str] = []
    milestone: int | None = None
    comments: list[Comment] = []
    reviews: list[Review] = []
    auto_merge: AutoMerge | None = None
    known: tuple[str, str] | None = None
    mergeable: bool | None = None


class Repository(Struct, kw_only=True):
    """`polls_until_ready`: how often somebody must look before a fork is there."""

    id: int
    owner: str
    name: str
    path: Path
    created_at: datetime
    pushed_at: datetime
    private: bool = False
    default_branch: str = "main"
    description: str | None = None
    archived: bool = False
    disabled: bool = False
    allow_forking: bool = True
    allow_auto_merge: bool = False
    delete_branch_on_merge: bool = False
    topics: tuple[str, ...] = ()
    size: int | None = None
    parent: str | None = None
    polls_until_ready: int = 0
    levels: dict[str, Level] = field(default_factory=dict[str, Level])
    pulls: dict[int, Pull] = field(default_factory=dict[int, Pull])
    labels: dict[str, Label] = field(default_factory=dict[str, Label])
    milestones: dict[int, Milestone] = field(default_factory=dict[int, Milestone])
    protections: dict[str, Protection] = field(default_factory=dict[str, Protection])
    check_runs: dict[str, list[CheckRun]] = field(default_factory=dict[str, list[CheckRun]])
    statuses: dict[str, list[CommitStatus]] = field(default_factory=dict[str, list[CommitStatus]])
    verified: set[str] = field(default_factory=set[str])

    @property
    def full_name(self) -> str:
        return f"{self.owner}/{self.name}"

    @property
    def key(self) -> str:
        return self.full_name.lower()

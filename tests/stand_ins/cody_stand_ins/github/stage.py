"""What a test can ask of the stand-in to set its stage, and to play the humans."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct


class AddUser(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    login: str
    kind: str = "User"
    email: str | None = None


class AddTeam(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    organization: str
    slug: str
    members: tuple[str, ...] = ()


class AddToken(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A classic token, unless it has `permissions`; then it is a fine-grained one. `lasts`: seconds."""

    value: str
    login: str
    scopes: tuple[str, ...] = ("repo", "workflow")
    permissions: Mapping[str, str] | None = None
    repositories: tuple[str, ...] | None = None
    lasts: float | None = None


class AddRepository(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """`source`: a git repository whose branches it gets; else `files`, in one commit on the default branch. `levels`:
    logins with read, triage, write, maintain or admin."""

    name: str
    source: str | None = None
    files: Mapping[str, str] | None = None
    private: bool = False
    default_branch: str = "main"
    levels: Mapping[str, str] = {}
    topics: tuple[str, ...] = ()
    description: str | None = None
    archived: bool = False
    disabled: bool = False
    allow_forking: bool = True
    allow_auto_merge: bool = False
    delete_branch_on_merge: bool = False
    size: int | None = None
    milestones: tuple[str, ...] = ()


class ChangeRepository(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """`changes`: fields of `AddRepository` in camelCase; `moved_to`: its new full name."""

    name: str
    changes: Mapping[str, Any] = {}
    moved_to: str | None = None


class RemoveRepository(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    name: str


class Protect(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """None of `rules`: no protection any more."""

    name: str
    branch: str = "main"
    rules: Mapping[str, Any] | None = {}


class CommitFiles(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A human pushes a commit to a branch, which is made where there is none; a file that is None goes away."""

    name: str
    branch: str
    files: Mapping[str, str | None]
    login: str
    message: str = "A human's change"
    start: str | None = None


class Act(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A human acts on a pull request: merge, close, reopen, comment, label, unlabel, review, ready, draft. `text`: what
    is said, or the label, or how it is merged; `state`: of a review."""

    name: str
    number: int
    action: str
    login: str
    text: str = ""
    state: str = "APPROVED"


class SetChecks(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Of the head of a pull request, or of `commit`; replaces those of the same name."""

    name: str
    number: int | None = None
    commit: str | None = None
    runs: tuple["Run", ...] = ()
    statuses: Mapping[str, str] = {}


class Run(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    name: str
    status: str = "completed"
    conclusion: str | None = "success"
    summary: str | None = None
    log: str = ""


class AddApp(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """`public_key` in PEM; `permissions` are what an installation may give."""

    id: int
    slug: str
    public_key: str
    permissions: Mapping[str, str]
    owner: str = "app-maker"


class Install(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """`repositories`: full names; None: all of the account's."""

    app: int
    account: str
    repositories: tuple[str, ...] | None = None
    permissions: Mapping[str, str] | None = None
    suspended: bool = False


class Forks(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """How often somebody must look before a fork is there."""

    polls: int


class TokenLife(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """How long the tokens of installations last; None: an hour, as GitHub's do."""

    seconds: float | None = None

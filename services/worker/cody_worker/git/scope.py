"""Which files of a repository are candidates, and why others are none."""

from enum import StrEnum

from msgspec import Struct

from cody_jobs.errors import CodyError
from cody_jobs.models import FileCounts
from cody_jobs.plan import Plan

MAX_FILE_BYTES = 262_144


class NotACandidate(CodyError):
    """This path is not among the files that were chosen: nothing else is read or changed."""

    code = "not_a_candidate"


class SkipReason(StrEnum):
    """Why a file that the patterns chose is never sent to Claude. Users see these: never rename one."""

    BINARY = "binary"
    EMPTY = "empty"
    ENCODING = "encoding"
    GENERATED = "generated"
    LFS_POINTER = "lfs_pointer"
    NOT_UTF8_PATH = "not_utf8_path"
    SUBMODULE = "submodule"
    SYMLINK = "symlink"
    TOO_LARGE = "too_large"
    UNSAFE_PATH = "unsafe_path"
    VENDORED = "vendored"


MAX_CANDIDATES = 100_000
"""More than anybody would want to pay for at once: the patterns must be wrong."""


class ScopeRules(Struct, frozen=True, kw_only=True):
    """`include` and `exclude` are gitignore-style patterns (no include: everything); `match` is a Python regular
    expression that a candidate's text must contain. They are the job's own, and narrow what its `plan` chooses. An
    include does not bring vendored or generated files back. More than `max_candidates` candidates are an error."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    match: str | None = None
    plan: Plan = Plan()
    max_file_bytes: int = MAX_FILE_BYTES
    max_candidates: int = MAX_CANDIDATES


class Candidate(Struct, frozen=True, kw_only=True):
    """A file to ask Claude about. `blob_id` is git's hex id of its bytes, `size` is in bytes, `mode` as git has it
    (0o100644 or 0o100755). `matches` is in how many places the plan's expressions match (0 where it has none)."""

    path: str
    blob_id: str
    size: int
    mode: int
    matches: int = 0


class Scope(Struct, frozen=True, kw_only=True):
    """Candidates are sorted by path. `counts` has only `examined`, `candidates` and `skipped` filled in.
    `left_alone` is the plan's reason why nothing in this repository was examined."""

    candidates: tuple[Candidate, ...]
    counts: FileCounts
    left_alone: str | None = None

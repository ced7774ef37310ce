"""What the worker and the git child say to each other: a length (4 bytes, big endian), then msgpack. One reply follows
each request, in order."""

import struct
from collections.abc import Mapping
from datetime import datetime

import msgspec
from msgspec import Struct

from cody_jobs.models import FailureCode
from cody_jobs.outcomes import RunPatch
from cody_jobs.ports.code_host import CloneSource
from cody_jobs.reports import Remaining
from cody_worker.git.limits import Checkout, GitLimits
from cody_worker.git.look import Found, SearchRules
from cody_worker.git.scope import Scope, ScopeRules
from cody_worker.git.staged_files import FileStage
from cody_worker.git.work_tree import FileChange, WorkTree, WorkTreeLimits

HEADER = struct.Struct("!I")
MAX_FRAME_BYTES = 256 << 20
"""Above the largest patch and the longest list of candidates: a child that announces more has gone mad."""


class ChildSetup(Struct, frozen=True, kw_only=True):
    """The child's argument. `folder` is its own, and empty."""

    source: CloneSource
    folder: str
    limits: GitLimits


class CheckOut(Struct, frozen=True, kw_only=True, tag=True):
    pass


class ChooseFiles(Struct, frozen=True, kw_only=True, tag=True):
    rules: ScopeRules


class ReadFile(Struct, frozen=True, kw_only=True, tag=True):
    """`patterns` are regular expressions whose matches are to be found in it."""

    path: str
    patterns: tuple[str, ...] = ()


class ReadOther(Struct, frozen=True, kw_only=True, tag=True):
    """Any file, as it is staged or as it was before."""

    path: str
    staged: bool


class SearchText(Struct, frozen=True, kw_only=True, tag=True):
    rules: SearchRules


class StageTogether(Struct, frozen=True, kw_only=True, tag=True):
    files: tuple[FileStage, ...]


class StageFiles(Struct, frozen=True, kw_only=True, tag=True):
    changes: Mapping[str, bytes]


class Materialise(Struct, frozen=True, kw_only=True, tag=True):
    """`folder` is empty; `base`: without what is staged."""

    folder: str
    base: bool
    limits: WorkTreeLimits


class Collect(Struct, frozen=True, kw_only=True, tag=True):
    folder: str
    limits: WorkTreeLimits


class FindRemaining(Struct, frozen=True, kw_only=True, tag=True):
    rules: ScopeRules


class Commit(Struct, frozen=True, kw_only=True, tag=True):
    branch: str
    message: str
    author: str
    when: datetime


class CheckedOut(Struct, frozen=True, kw_only=True, tag=True):
    checkout: Checkout


class FilesChosen(Struct, frozen=True, kw_only=True, tag=True):
    scope: Scope


class FileRead(Struct, frozen=True, kw_only=True, tag=True):
    """`matches` are first and last lines, counted from 1."""

    content: bytes
    matches: tuple[tuple[int, int], ...] = ()


class OtherRead(Struct, frozen=True, kw_only=True, tag=True):
    """None: there is no such file, or it is one that is never sent to Claude."""

    content: bytes | None


class TextFound(Struct, frozen=True, kw_only=True, tag=True):
    found: Found


class FilesStaged(Struct, frozen=True, kw_only=True, tag=True):
    pass


class Materialised(Struct, frozen=True, kw_only=True, tag=True):
    work_tree: WorkTree


class Collected(Struct, frozen=True, kw_only=True, tag=True):
    changes: tuple[FileChange, ...]


class RemainingFound(Struct, frozen=True, kw_only=True, tag=True):
    remaining: Remaining


class Committed(Struct, frozen=True, kw_only=True, tag=True):
    patch: RunPatch | None


class Failed(Struct, frozen=True, kw_only=True, tag=True):
    """The request cannot succeed; the child goes on."""

    code: FailureCode
    message: str
    retryable: bool


class Refused(Struct, frozen=True, kw_only=True, tag=True):
    """A path that is no candidate."""

    message: str


class Stale(Struct, frozen=True, kw_only=True, tag=True):
    """A file has changed since it was asked about; nothing was staged."""

    message: str


Request = (
    CheckOut
    | ChooseFiles
    | ReadFile
    | ReadOther
    | SearchText
    | StageFiles
    | StageTogether
    | Materialise
    | Collect
    | FindRemaining
    | Commit
)
Reply = (
    CheckedOut
    | FilesChosen
    | FileRead
    | OtherRead
    | TextFound
    | FilesStaged
    | Materialised
    | Collected
    | RemainingFound
    | Committed
    | Failed
    | Refused
    | Stale
)

encode = msgspec.msgpack.Encoder().encode
decode_setup = msgspec.msgpack.Decoder(ChildSetup).decode
decode_request = msgspec.msgpack.Decoder(Request).decode
decode_reply = msgspec.msgpack.Decoder(Reply).decode


def frame(message: Request | Reply) -> bytes:
    body = encode(message)
    return HEADER.pack(len(body)) + body

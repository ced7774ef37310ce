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
from cody_worker.git.limits import Checkout, GitLimits
from cody_worker.git.scope import Scope, ScopeRules
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
    path: str


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
    content: bytes


class FilesStaged(Struct, frozen=True, kw_only=True, tag=True):
    pass


class Materialised(Struct, frozen=True, kw_only=True, tag=True):
    work_tree: WorkTree


class Collected(Struct, frozen=True, kw_only=True, tag=True):
    changes: tuple[FileChange, ...]


class Committed(Struct, frozen=True, kw_only=True, tag=True):
    patch: RunPatch


class Failed(Struct, frozen=True, kw_only=True, tag=True):
    """The request cannot succeed; the child goes on."""

    code: FailureCode
    message: str
    retryable: bool


class Refused(Struct, frozen=True, kw_only=True, tag=True):
    """A path that is no candidate."""

    message: str


Request = CheckOut | ChooseFiles | ReadFile | StageFiles | Materialise | Collect | Commit
Reply = CheckedOut | FilesChosen | FileRead | FilesStaged | Materialised | Collected | Committed | Failed | Refused

encode = msgspec.msgpack.Encoder().encode
decode_setup = msgspec.msgpack.Decoder(ChildSetup).decode
decode_request = msgspec.msgpack.Decoder(Request).decode
decode_reply = msgspec.msgpack.Decoder(Reply).decode


def frame(message: Request | Reply) -> bytes:
    body = encode(message)
    return HEADER.pack(len(body)) + body

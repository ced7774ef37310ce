"""What is said about a work tree: a tree's files in a folder, for commands to work on."""

from enum import StrEnum

from msgspec import Struct

MEBIBYTE = 1 << 20


class WorkTreeLimits(Struct, frozen=True, kw_only=True):
    """Of what is written into a folder, of what is looked at there afterwards, and of what may have changed."""

    files: int = 200_000
    bytes: int = 2_048 * MEBIBYTE
    scanned: int = 1_000_000
    changed_files: int = 10_000
    changed_bytes: int = 100 * MEBIBYTE
    changed_file_bytes: int = 10 * MEBIBYTE


class LeftOut(Struct, frozen=True, kw_only=True):
    """A path of the repository that is not in the work tree, and why."""

    path: str
    reason: str


class WorkTree(Struct, frozen=True, kw_only=True):
    """`left_out` lists the first ones; the rest are only counted."""

    files: int
    left_out: tuple[LeftOut, ...]
    left_out_count: int


class ChangeKind(StrEnum):
    CREATED = "created"
    CHANGED = "changed"
    DELETED = "deleted"
    RENAMED = "renamed"


class FileChange(Struct, frozen=True, kw_only=True):
    """`mode` as git has it, None for what is gone. `old_path` is where a renamed file was, with the same bytes."""

    path: str
    kind: ChangeKind
    mode: int | None = None
    old_path: str | None = None

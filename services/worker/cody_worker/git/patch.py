"""The difference of two trees as bytes that `git apply --index` takes."""

import pygit2
from msgspec import Struct
from pygit2.enums import DiffFind, DiffOption

from cody_jobs.errors import JobFailed
from cody_jobs.models import FailureCode
from cody_worker.git.git_errors import reading

MAX_PATCH_BYTES = 100_000_000


class Difference(Struct, frozen=True, kw_only=True):
    """`patch` has binary, rename and mode changes and full index ids; it is the same bytes every time."""

    patch: bytes
    files_changed: int
    lines_added: int
    lines_removed: int


def diff_trees(
    repository: pygit2.Repository, old: bytes, new: bytes, *, most_bytes: int = MAX_PATCH_BYTES
) -> Difference:
    """Compare two trees, by id. Raises `JobFailed(repository_too_large)` for a patch above `most_bytes`.

    The repository has to have `core.abbrev` 40: libgit2 offers no other way to full ids.
    """
    with reading("the difference"):
        before, after = (repository[pygit2.Oid(raw=tree)].peel(pygit2.Tree) for tree in (old, new))
        diff = before.diff_to_tree(after, flags=DiffOption.SHOW_BINARY)
        diff.find_similar(flags=DiffFind.FIND_RENAMES)
        # Never `diff.patch`: that is text, and damages what is not UTF-8.
        patch = b"".join(_bounded(diff, most_bytes))
        stats = diff.stats
    return Difference(
        patch=patch,
        files_changed=stats.files_changed,
        lines_added=stats.insertions,
        lines_removed=stats.deletions,
    )


def _bounded(diff: pygit2.Diff, most_bytes: int) -> list[bytes]:
    parts: list[bytes] = []
    size = 0
    for patch in diff:
        assert patch is not None
        parts.append(_data(patch))
        size += len(parts[-1])
        if size > most_bytes:
            raise JobFailed(FailureCode.REPOSITORY_TOO_LARGE, f"the diff is larger than {most_bytes:,} bytes")
    return parts


def _data(patch: pygit2.Patch) -> bytes:
    """libgit2 says of a binary file that only moved that it differs, and git then wants to see how."""
    if patch.delta.old_file.id != patch.delta.new_file.id:
        return patch.data
    return b"".join(line for line in patch.data.splitlines(keepends=True) if not line.startswith(b"Binary files "))

"""Objects of a checked out repository, by id: read as they are, written to the scratch repository alone.

Trees are read and written as raw bytes: a name that is not UTF-8 and an odd mode survive, and rewriting one file
changes nothing else. An object that exists is never written again: libgit2 would touch the source's file.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pygit2
from pygit2.enums import ObjectType

from cody_jobs.errors import JobFailed
from cody_jobs.models import FailureCode
from cody_worker.git.git_errors import reading

_ID_BYTES = 20
_TREE_MODE = 0o040000
_FIRST_LINE = re.compile(rb"tree ([0-9a-f]{40})\n")


class TreeEntry(NamedTuple):
    """`start` is where the entry's id begins in its tree's bytes."""

    mode: int
    name: bytes
    id: bytes
    start: int

    @property
    def is_tree(self) -> bool:
        return self.mode & 0o170000 == _TREE_MODE


class ObjectStore:
    """Raises `JobFailed` (`repository_unreadable`, `disk_full`, `repository_too_large`) from every method."""

    def __init__(self, repository: pygit2.Repository) -> None:
        self._odb = repository.odb

    def size_of_blob(self, blob: bytes) -> int:
        """In bytes, without reading the blob."""
        with reading(f"blob {blob.hex()}"):
            kind, size = self._odb.read_header(pygit2.Oid(raw=blob))
        _expect(kind, ObjectType.BLOB, blob)
        return size

    def read_blob(self, blob: bytes) -> bytes:
        return self._read(blob, ObjectType.BLOB, "blob")

    def read_tree(self, tree: bytes) -> bytes:
        """The tree's raw bytes; `tree_entries` takes them apart."""
        return self._read(tree, ObjectType.TREE, "tree")

    def tree_of_commit(self, commit: bytes) -> bytes:
        """The id of the commit's tree; the rest of the commit may be as odd as it likes."""
        first = _FIRST_LINE.match(self._read(commit, ObjectType.COMMIT, "commit"))
        if first is None:
            raise _malformed("commit", commit)
        return bytes.fromhex(first[1].decode())

    def write(self, kind: ObjectType, data: bytes) -> bytes:
        """Store an object unless it exists, in the source or here; its id."""
        name = hashlib.sha1(b"%s %d\0%s" % (kind.name.lower().encode(), len(data), data), usedforsecurity=False)
        with reading("the scratch repository"):
            if not self._odb.exists(pygit2.Oid(raw=name.digest())):
                self._odb.write(kind, data)
        return name.digest()

    def _read(self, name: bytes, expected: ObjectType, what: str) -> bytes:
        with reading(f"{what} {name.hex()}"):
            kind, data = self._odb.read(pygit2.Oid(raw=name))
        _expect(kind, expected, name)
        return data


def tree_entries(tree: bytes, data: bytes) -> Sequence[TreeEntry]:
    """The entries of a tree's raw bytes, in order. `tree` is its id, for the message of an error."""
    try:
        entries = list(_parse(data))
    except ValueError as error:
        raise _malformed("tree", tree) from error
    if len({entry.name for entry in entries}) != len(entries):
        raise _malformed("tree", tree)
    return entries


def _parse(data: bytes) -> Iterator[TreeEntry]:
    at = 0
    while at < len(data):
        space = data.index(b" ", at)
        start = data.index(b"\0", space) + 1
        name = data[space + 1 : start - 1]
        if not name or b"/" in name or start + _ID_BYTES > len(data):
            raise ValueError
        yield TreeEntry(int(data[at:space], 8), name, data[start : start + _ID_BYTES], start)
        at = start + _ID_BYTES


def _expect(kind: ObjectType, expected: ObjectType, name: bytes) -> None:
    if kind != expected:
        raise JobFailed(
            FailureCode.REPOSITORY_UNREADABLE,
            f"the repository is damaged: object {name.hex()} is a {kind.name.lower()} where a "
            f"{expected.name.lower()} has to be",
        )


def _malformed(what: str, name: bytes) -> JobFailed:
    return JobFailed(FailureCode.REPOSITORY_UNREADABLE, f"the repository is damaged: {what} {name.hex()} is malformed")

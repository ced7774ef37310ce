"""Compare a work tree with what was written there, by content, and take what has changed."""

import hashlib
import os
import stat
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, NamedTuple

from pygit2.enums import ObjectType

from cody_jobs.errors import JobFailed
from cody_jobs.models import FailureCode
from cody_worker.git.ignore_rules import IgnoreRules
from cody_worker.git.links import stays_inside
from cody_worker.git.object_store import ObjectStore
from cody_worker.git.rewrite_tree import EXECUTABLE, LINK, REGULAR, Leaf, canonical_mode, is_submodule
from cody_worker.git.skip_reasons import is_unsafe_path
from cody_worker.git.trees import FoundFile
from cody_worker.git.work_tree import ChangeKind, FileChange, WorkTreeLimits

_GIT_FOLDER = b".git"
_NEVER_WANTED = frozenset(
    (b"__pycache__", b".pytest_cache", b".mypy_cache", b".ruff_cache", b".gradle", b"node_modules", b".DS_Store")
)
"""What programs leave behind, whether or not the repository says so; what it has of these itself is its own."""
_CHUNK = 1 << 20
_MOST_LEVELS = 200
"""Of new folders: nobody needs more, and each one costs a look at the whole way down to it."""


class _Found(NamedTuple):
    path: bytes
    facts: os.stat_result


def collect(
    store: ObjectStore, files: Mapping[bytes, FoundFile], folder: Path, limits: WorkTreeLimits
) -> dict[bytes, Leaf | None]:
    """What differs from `files`, as it was written into the folder; its blobs are in the store.

    What `.gitignore` names is passed over, unless it was there before; so are the folder's own repository and what is
    in submodules. Raises `JobFailed(codemod_failed)` for what no commit may hold, and for more than the limits.
    """
    taken = _Taken(store, folder, limits)
    missing = dict(files)
    try:
        for found in _walk(folder, files, limits):
            taken.look_at(found, missing.pop(found.path, None))
    except OSError as error:
        raise JobFailed(FailureCode.CODEMOD_FAILED, f"the work tree cannot be read: {error}") from error
    taken.changes.update({path: None for path, file in missing.items() if not is_submodule(file.mode)})
    taken.check_number()
    return taken.changes


def describe_changes(changes: Mapping[bytes, Leaf | None], files: Mapping[bytes, FoundFile]) -> tuple[FileChange, ...]:
    """Sorted by path. A file that went and one with the same bytes that came are one rename."""
    gone: defaultdict[bytes, list[bytes]] = defaultdict(list)
    for path in sorted((path for path, leaf in changes.items() if leaf is None), reverse=True):
        gone[files[path].id].append(path)
    told: dict[bytes, FileChange] = {}
    for path, leaf in sorted(changes.items()):
        if leaf is not None:
            old = gone[leaf.id].pop() if path not in files and gone[leaf.id] else None
            told[path] = _told(path, leaf, old, existed=path in files)
    for path in (path for paths in gone.values() for path in paths):
        told[path] = FileChange(path=_shown(path), kind=ChangeKind.DELETED)
    return tuple(told[path] for path in sorted(told))


def _told(path: bytes, leaf: Leaf, old: bytes | None, *, existed: bool) -> FileChange:
    if old is not None:
        return FileChange(path=_shown(path), kind=ChangeKind.RENAMED, mode=leaf.mode, old_path=_shown(old))
    kind = ChangeKind.CHANGED if existed else ChangeKind.CREATED
    return FileChange(path=_shown(path), kind=kind, mode=leaf.mode)


class _Taken:
    def __init__(self, store: ObjectStore, folder: Path, limits: WorkTreeLimits) -> None:
        self.changes: dict[bytes, Leaf | None] = {}
        self._store = store
        self._folder = folder
        self._limits = limits
        self._bytes = 0

    def look_at(self, found: _Found, was: FoundFile | None) -> None:
        if was is None and is_unsafe_path(found.path):
            raise _refused(found.path, "its path is not safe")
        leaf = self._leaf(found, was)
        if was is None or leaf != Leaf(was.mode, was.id):
            self.changes[found.path] = leaf
            self.check_number()

    def check_number(self) -> None:
        if len(self.changes) > self._limits.changed_files:
            raise JobFailed(FailureCode.CODEMOD_FAILED, f"more than {self._limits.changed_files:,} files were changed")

    def _leaf(self, found: _Found, was: FoundFile | None) -> Leaf:
        if stat.S_ISLNK(found.facts.st_mode):
            return self._link(found, was)
        if not stat.S_ISREG(found.facts.st_mode):
            raise _refused(found.path, "it is neither a file nor a link")
        mode = EXECUTABLE if found.facts.st_mode & 0o100 else REGULAR
        if was is not None and canonical_mode(was.mode) == mode:
            mode = was.mode
        if was is not None and _blob_id(self._at(found)) == was.id:
            return Leaf(mode, was.id)
        return Leaf(mode, self._store.write(ObjectType.BLOB, self._content(found)))

    def _link(self, found: _Found, was: FoundFile | None) -> Leaf:
        target = os.fsencode(self._at(found).readlink())
        if not stays_inside(found.path, target):
            raise _refused(found.path, "it is a symbolic link that leaves the repository")
        mode = was.mode if was is not None and canonical_mode(was.mode) == LINK else LINK
        return Leaf(mode, self._store.write(ObjectType.BLOB, target))

    def _content(self, found: _Found) -> bytes:
        size = found.facts.st_size
        self._bytes += size
        if size > self._limits.changed_file_bytes:
            raise _refused(found.path, f"it has {size:,} bytes, more than {self._limits.changed_file_bytes:,}")
        if self._bytes > self._limits.changed_bytes:
            raise JobFailed(FailureCode.CODEMOD_FAILED, f"more than {self._limits.changed_bytes:,} bytes were changed")
        with _open(self._at(found)) as file:
            return file.read(self._limits.changed_file_bytes)

    def _at(self, found: _Found) -> Path:
        return self._folder / os.fsdecode(found.path)


def _walk(folder: Path, files: Mapping[bytes, FoundFile], limits: WorkTreeLimits) -> Iterator[_Found]:
    """Whatever is not a folder, and is either one of the `files` or not ignored. Nothing is followed."""
    known = _folders_of(files)
    stack = [(b"", _with_rules(IgnoreRules(), folder, b""), True)]
    scanned = 0
    while stack:
        prefix, rules, is_new_wanted = stack.pop()
        with os.scandir(os.fsencode(folder) + b"/" + prefix) as entries:
            for entry in entries:
                scanned += 1
                if scanned > limits.scanned:
                    raise JobFailed(
                        FailureCode.CODEMOD_FAILED, f"more than {limits.scanned:,} files are in the work tree"
                    )
                path = prefix + entry.name
                if path == _GIT_FOLDER or (path in files and is_submodule(files[path].mode)):
                    continue
                is_folder = entry.is_dir(follow_symlinks=False)
                is_wanted = is_new_wanted and not _is_ignored(path, rules, is_folder=is_folder)
                if is_folder and (is_wanted or path in known):
                    if path not in known and path.count(b"/") >= _MOST_LEVELS:
                        raise _refused(path, f"it is more than {_MOST_LEVELS} folders deep")
                    stack.append((path + b"/", _with_rules(rules, folder, path + b"/"), is_wanted))
                elif not is_folder and (is_wanted or path in files):
                    yield _Found(path, entry.stat(follow_symlinks=False))


def _is_ignored(path: bytes, rules: IgnoreRules, *, is_folder: bool) -> bool:
    if path.rpartition(b"/")[2] in _NEVER_WANTED:
        return True
    return rules.ignores(path.decode(errors="surrogateescape") + ("/" if is_folder else ""))


def _with_rules(rules: IgnoreRules, folder: Path, prefix: bytes) -> IgnoreRules:
    try:
        with _open(folder / os.fsdecode(prefix + b".gitignore")) as file:
            return rules.below(prefix.decode(errors="surrogateescape"), file.read(_CHUNK))
    except OSError:
        return rules  # there is none, or something else has that name


def _folders_of(files: Mapping[bytes, FoundFile]) -> set[bytes]:
    folders: set[bytes] = set()
    for path in files:
        folder = path.rpartition(b"/")[0]
        while folder and folder not in folders:
            folders.add(folder)
            folder = folder.rpartition(b"/")[0]
    return folders


def _blob_id(path: Path) -> bytes:
    with _open(path) as file:
        digest = hashlib.sha1(b"blob %d\0" % os.fstat(file.fileno()).st_size, usedforsecurity=False)
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.digest()


def _open(path: Path) -> BinaryIO:
    """Neither follows a link nor waits for the other end of a pipe."""
    return os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb")


def _shown(path: bytes) -> str:
    return path.decode(errors="replace")


def _refused(path: bytes, reason: str) -> JobFailed:
    return JobFailed(FailureCode.CODEMOD_FAILED, f"{_shown(path)[:200]!r} cannot be taken: {reason}")

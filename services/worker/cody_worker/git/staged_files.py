"""What the next commit has besides its base: files that were changed, made, moved or deleted, all or nothing."""

import hashlib
from collections.abc import Iterator, Mapping

from msgspec import Struct
from pygit2.enums import ObjectType

from cody_jobs.errors import CodyError
from cody_worker.git.object_store import ObjectStore, tree_entries
from cody_worker.git.rewrite_tree import REGULAR, Leaf, rewrite_tree
from cody_worker.git.scope import NotACandidate
from cody_worker.git.skip_reasons import is_unsafe_path
from cody_worker.git.trees import replace_blobs

_KIND, _FILE = 0o170000, 0o100000


class ChangedMeanwhile(CodyError):
    """The file is not what the change was made for: something else has changed it first."""

    code = "file_changed_meanwhile"


class FileStage(Struct, frozen=True, kw_only=True):
    """One file as it shall be: `content` (None: gone). `before` is the SHA-256 of what it has to hold now (None: it
    must not be there, or hold the same content already). A new file gets the mode of the file `like`."""

    path: str
    content: bytes | None
    before: bytes | None
    like: str | None = None


class StagedFiles:
    def __init__(self, store: ObjectStore, root: bytes) -> None:
        self._store = store
        self._root = root
        self._staged: dict[bytes, Leaf | None] = {}

    def replace(self, path: bytes, content: bytes) -> None:
        """Of a file that is there; its mode stays."""
        leaf = self._leaf(path)
        assert leaf is not None
        self._staged[path] = Leaf(leaf.mode, self._store.write(ObjectType.BLOB, content))

    def stage(self, files: tuple[FileStage, ...]) -> None:
        """Raises `ChangedMeanwhile`, or `NotACandidate` for a path that no file can have, and then takes none."""
        before = dict(self._staged)
        try:
            for file in files:
                self._stage(file)
        except CodyError:
            self._staged = before
            raise

    def read(self, path: bytes) -> bytes | None:
        """What a file holds with all that is staged; None where there is none, or a link or a submodule."""
        leaf = self._leaf(path)
        return self._store.read_blob(leaf.id) if leaf is not None and leaf.mode & _KIND == _FILE else None

    def write_root(self) -> bytes:
        """The id of the tree with everything staged."""
        kept = {path: leaf for path, leaf in self._staged.items() if leaf is not None and self._has_base(path, leaf)}
        root = replace_blobs(self._store, self._root, {path: leaf.id for path, leaf in kept.items()})
        others = {path: leaf for path, leaf in self._staged.items() if path not in kept}
        return rewrite_tree(self._store, root, others) if others else root

    def _has_base(self, path: bytes, leaf: Leaf) -> bool:
        found = find_leaf(self._store, self._root, path)
        return found is not None and found.mode == leaf.mode

    def _stage(self, file: FileStage) -> None:
        path = file.path.encode("utf-8", "surrogateescape")
        now = self.read(path)
        if file.before is None and now is not None and now == file.content:
            return
        if (None if now is None else hashlib.sha256(now).digest()) != file.before:
            raise ChangedMeanwhile(f"{file.path!r} has been changed by another edit in the meantime")
        if file.content is None:
            self._staged[path] = None
            return
        self._check_place(path, file.path)
        mode = self._mode(path) or (self._mode(file.like.encode()) if file.like is not None else None) or REGULAR
        self._staged[path] = Leaf(mode, self._store.write(ObjectType.BLOB, file.content))

    def _check_place(self, path: bytes, shown: str) -> None:
        """A file can stand only where no folder is, in folders that are none of a file, a link or a submodule."""
        if is_unsafe_path(path):
            raise NotACandidate(f"{shown!r} is no safe path")
        leaf = self._leaf(path)
        taken = leaf is not None and (leaf.is_tree or leaf.mode & _KIND != _FILE)
        below = any(other.startswith(path + b"/") and now is not None for other, now in self._staged.items())
        if taken or below or any(self._is_no_folder(folder) for folder in _folders(path)):
            raise NotACandidate(f"{shown!r} cannot be a file: a folder, a link or another file is in its place")

    def _is_no_folder(self, path: bytes) -> bool:
        leaf = self._leaf(path)
        return leaf is not None and not leaf.is_tree

    def _mode(self, path: bytes) -> int | None:
        leaf = self._leaf(path) or find_leaf(self._store, self._root, path)
        return leaf.mode if leaf is not None and leaf.mode & _KIND == _FILE else None

    def _leaf(self, path: bytes) -> Leaf | None:
        return self._staged[path] if path in self._staged else find_leaf(self._store, self._root, path)


def find_leaf(store: ObjectStore, root: bytes, path: bytes) -> Leaf | None:
    """What a tree has at a path, a folder too."""
    found: Leaf | None = Leaf(0o040000, root)
    for name in path.split(b"/"):
        if found is None or not found.is_tree:
            return None
        found = _entries(store, found.id).get(name)
    return found


def _entries(store: ObjectStore, tree: bytes) -> Mapping[bytes, Leaf]:
    return {entry.name: Leaf(entry.mode, entry.id) for entry in tree_entries(tree, store.read_tree(tree))}


def _folders(path: bytes) -> Iterator[bytes]:
    while b"/" in path:
        path = path.rpartition(b"/")[0]
        yield path

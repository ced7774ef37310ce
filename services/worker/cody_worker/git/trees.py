"""Walk a tree within limits, and rewrite the few blobs of it that changed. Nothing here recurses: depth is data."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pygit2.enums import ObjectType

from cody_jobs.errors import JobFailed
from cody_jobs.models import FailureCode
from cody_worker.git.object_store import ObjectStore, TreeEntry, tree_entries

MAX_ENTRIES = 1_000_000
MAX_LEVELS = 5_000


class FoundFile(NamedTuple):
    """Whatever is not a folder: `path` has '/' between names, `mode` is the raw mode."""

    path: bytes
    mode: int
    id: bytes


class _Size(NamedTuple):
    entries: int
    levels: int


class _Opened(NamedTuple):
    entries: int
    folders: list[bytes]


def check_tree_size(
    store: ObjectStore, root: bytes, *, most_entries: int = MAX_ENTRIES, most_levels: int = MAX_LEVELS
) -> None:
    """Raise `JobFailed(repository_too_large)` for a tree with more files and folders, or more levels, than that.

    Every distinct tree is read once, so that one that repeats itself is counted without being walked.
    """
    known: dict[bytes, _Size] = {}
    opened: dict[bytes, _Opened] = {}
    stack = [root]
    while stack:
        tree = stack[-1]
        if tree not in opened:
            opened[tree] = _open(store, tree)
        unknown = [folder for folder in opened[tree].folders if folder not in known]
        if unknown and tree not in known:
            stack.extend(unknown)
            continue
        stack.pop()
        known[tree] = _add_up(opened[tree], known)
        _check(known[tree], most_entries, most_levels)


def walk_files(store: ObjectStore, root: bytes) -> Iterator[FoundFile]:
    """Every file, link and submodule below a tree, in no particular order."""
    stack = [(b"", root)]
    while stack:
        prefix, tree = stack.pop()
        for entry in tree_entries(tree, store.read_tree(tree)):
            if entry.is_tree:
                stack.append((prefix + entry.name + b"/", entry.id))
            else:
                yield FoundFile(prefix + entry.name, entry.mode, entry.id)


def replace_blobs(store: ObjectStore, root: bytes, blobs: Mapping[bytes, bytes]) -> bytes:
    """Write the trees that result when the files at these paths get these blobs; the new root's id.

    A tree is copied byte by byte but for the ids that change. Every path has to exist.
    """
    trees = _trees_above(store, root, blobs)
    changes: dict[bytes, dict[bytes, bytes]] = defaultdict(dict)
    for path, blob in blobs.items():
        folder, _, name = path.rpartition(b"/")
        changes[folder][name] = blob
    for folder in sorted(trees, key=_level, reverse=True):
        changed = store.write(ObjectType.TREE, _patched(trees[folder], store, changes[folder]))
        if not folder:
            return changed
        above, _, name = folder.rpartition(b"/")
        changes[above][name] = changed
    return root


def _level(folder: bytes) -> int:
    return folder.count(b"/") + 1 if folder else 0


def _trees_above(store: ObjectStore, root: bytes, paths: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """The id of every folder on the way to the paths, by its path; the root is b""."""
    trees = {b"": root}
    entries: dict[bytes, Mapping[bytes, TreeEntry]] = {}
    for path in paths:
        folder = b""
        for name in path.split(b"/")[:-1]:
            below = folder + b"/" + name if folder else name
            if below not in trees:
                if folder not in entries:
                    entries[folder] = _by_name(store, trees[folder])
                trees[below] = entries[folder][name].id
            folder = below
    return trees


def _patched(tree: bytes, store: ObjectStore, changes: Mapping[bytes, bytes]) -> bytes:
    data = bytearray(store.read_tree(tree))
    entries = _by_name(store, tree)
    for name, changed in changes.items():
        start = entries[name].start
        data[start : start + len(changed)] = changed
    return bytes(data)


def _by_name(store: ObjectStore, tree: bytes) -> Mapping[bytes, TreeEntry]:
    return {entry.name: entry for entry in tree_entries(tree, store.read_tree(tree))}


def _open(store: ObjectStore, tree: bytes) -> _Opened:
    entries = tree_entries(tree, store.read_tree(tree))
    return _Opened(len(entries), [entry.id for entry in entries if entry.is_tree])


def _add_up(tree: _Opened, known: Mapping[bytes, _Size]) -> _Size:
    below = [known[folder] for folder in tree.folders]
    entries = tree.entries + sum(size.entries for size in below)
    return _Size(entries, 1 + max((size.levels for size in below), default=0))


def _check(size: _Size, most_entries: int, most_levels: int) -> None:
    if size.entries > most_entries:
        message = f"the repository has more than {most_entries:,} files and folders"
        raise JobFailed(FailureCode.REPOSITORY_TOO_LARGE, message)
    if size.levels > most_levels:
        message = f"the repository has folders over {most_levels:,} levels deep"
        raise JobFailed(FailureCode.REPOSITORY_TOO_LARGE, message)

"""Write the trees that result when files are created, changed, deleted or moved."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from pygit2.enums import ObjectType

from cody_worker.git.object_store import ObjectStore, tree_entries

EXECUTABLE, REGULAR, LINK = 0o100755, 0o100644, 0o120000
_TREE_MODE, _SUBMODULE = 0o040000, 0o160000
_KIND = 0o170000


class Leaf(NamedTuple):
    """Whatever is not a folder, by its raw mode and its id."""

    mode: int
    id: bytes

    @property
    def is_tree(self) -> bool:
        return self.mode & _KIND == _TREE_MODE


Changes = Mapping[bytes, Leaf | None]
"""By path with '/' between names; None: there is nothing any more."""


def is_submodule(mode: int) -> bool:
    return mode & _KIND == _SUBMODULE


def canonical_mode(mode: int) -> int:
    """One of the few modes that git writes today, for whatever an old or odd tree has."""
    if mode & _KIND in {LINK, _SUBMODULE}:
        return mode & _KIND
    return EXECUTABLE if mode & 0o111 else REGULAR


def rewrite_tree(store: ObjectStore, root: bytes, changes: Changes) -> bytes:
    """The new root's id. A folder that becomes empty goes; entries that did not change keep their odd modes."""
    own: defaultdict[bytes, dict[bytes, Leaf | None]] = defaultdict(dict)
    own[b""] = {}
    for path, leaf in changes.items():
        folder, _, name = path.rpartition(b"/")
        own[folder][name] = leaf
        for above in _ancestors(folder):
            own.setdefault(above, {})  # a folder on the way is rewritten, too
    before = _entries_of(store, root, own)
    rewritten: defaultdict[bytes, dict[bytes, bytes | None]] = defaultdict(dict)
    for folder in sorted(own, key=_level, reverse=True):
        entries = _changed(before[folder], own[folder], rewritten[folder])
        if not folder:
            return store.write(ObjectType.TREE, _serialized(entries))
        above, _, name = folder.rpartition(b"/")
        rewritten[above][name] = store.write(ObjectType.TREE, _serialized(entries)) if entries else None
    return root


def _changed(
    entries: Mapping[bytes, Leaf], leaves: Mapping[bytes, Leaf | None], folders: Mapping[bytes, bytes | None]
) -> Mapping[bytes, Leaf]:
    """A file may stand where a folder was, and the other way round: what exists wins over what is gone."""
    after = {name: leaf for name, leaf in entries.items() if name not in leaves and name not in folders}
    after |= {name: entries[name] for name in leaves if name in entries and entries[name].is_tree}
    after |= {name: entries[name] for name in folders if name in entries and not entries[name].is_tree}
    for name, tree in folders.items():
        if tree is not None:
            after[name] = Leaf(_TREE_MODE, tree)
        elif name in after and after[name].is_tree:
            del after[name]
    for name, leaf in leaves.items():
        if leaf is not None:
            after[name] = leaf
        elif name in after and not after[name].is_tree:
            del after[name]
    return after


def _serialized(entries: Mapping[bytes, Leaf]) -> bytes:
    ordered = sorted(entries.items(), key=lambda item: item[0] + b"/" if item[1].is_tree else item[0])
    return b"".join(b"%o %s\0%s" % (leaf.mode, name, leaf.id) for name, leaf in ordered)


def _entries_of(store: ObjectStore, root: bytes, folders: Iterable[bytes]) -> Mapping[bytes, Mapping[bytes, Leaf]]:
    """What the folders hold now; nothing, where there is none."""
    found: dict[bytes, Mapping[bytes, Leaf]] = {}
    for folder in sorted(folders, key=_level):
        if not folder:
            found[folder] = _read(store, root)
            continue
        above, _, name = folder.rpartition(b"/")
        entry = found[above].get(name)
        found[folder] = _read(store, entry.id) if entry is not None and entry.is_tree else {}
    return found


def _read(store: ObjectStore, tree: bytes) -> Mapping[bytes, Leaf]:
    return {entry.name: Leaf(entry.mode, entry.id) for entry in tree_entries(tree, store.read_tree(tree))}


def _ancestors(folder: bytes) -> Iterable[bytes]:
    while folder:
        folder = folder.rpartition(b"/")[0]
        yield folder


def _level(folder: bytes) -> int:
    return folder.count(b"/") + 1 if folder else 0

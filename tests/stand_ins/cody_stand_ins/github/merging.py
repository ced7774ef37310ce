"""Merges that are really made, in a bare repository, and what lies between two commits."""

from collections.abc import Sequence
from pathlib import Path

import pygit2
from msgspec import Struct

from cody_stand_ins.github.bare import Author, opened


class Change(Struct, frozen=True, kw_only=True):
    """`status` in GitHub's words: added, removed, modified, renamed."""

    path: str
    old_path: str
    status: str
    blob: str
    additions: int
    deletions: int
    patch: str


def merge_base(path: Path, one: str, other: str) -> str | None:
    with opened(path) as repository:
        found = repository.merge_base(one, other)
        return str(found) if found else None


def contains(path: Path, commit: str, ancestor: str) -> bool:
    with opened(path) as repository:
        return commit == ancestor or repository.descendant_of(commit, ancestor)


def commits_between(path: Path, base: str, head: str) -> Sequence[str]:
    """Those of `head` that `base` has not, the oldest first."""
    with opened(path) as repository:
        walk = repository.walk(head, pygit2.enums.SortMode.TOPOLOGICAL | pygit2.enums.SortMode.REVERSE)
        walk.hide(base)
        return [str(commit.id) for commit in walk]


def changes_between(path: Path, base: str, head: str) -> Sequence[Change]:
    """What a pull request shows: from the merge base to its head."""
    with opened(path) as repository:
        common = repository.merge_base(base, head)
        start = repository[common or base].peel(pygit2.Commit).tree
        diff = start.diff_to_tree(repository[head].peel(pygit2.Commit).tree)
        diff.find_similar()
        return [_change(patch) for patch in diff if patch is not None]


def merge_tree(path: Path, base: str, head: str) -> str | None:
    """The tree of both; None where they conflict."""
    with opened(path) as repository:
        index = repository.merge_commits(base, head)
        return None if index.conflicts is not None else str(index.write_tree(repository))


def make_commit(path: Path, tree: str, parents: Sequence[str], message: str, author: Author) -> str:
    with opened(path) as repository:
        signature = author.signature()
        ids = [pygit2.Oid(hex=parent) for parent in parents]
        return str(repository.create_commit(None, signature, signature, message, pygit2.Oid(hex=tree), ids))


def rebase(path: Path, base: str, head: str, author: Author) -> str | None:
    """The commits of `head` again, on top of `base`; the last of them. None where one does not apply."""
    onto = base
    for commit in commits_between(path, base, head):
        with opened(path) as repository:
            picked = repository[commit].peel(pygit2.Commit)
            if len(picked.parents) != 1:
                continue
            top = repository[onto].peel(pygit2.Commit)
            index = repository.merge_trees(picked.parents[0].tree, top.tree, picked.tree)
            if index.conflicts is not None:
                return None
            tree = index.write_tree(repository)
            onto = str(
                repository.create_commit(
                    None, picked.author, author.signature(), picked.message, tree, [pygit2.Oid(hex=onto)]
                )
            )
    return onto


def _change(patch: pygit2.Patch) -> Change:
    delta = patch.delta
    removed = delta.status_char() == "D"
    _, additions, deletions = patch.line_stats
    data = patch.data.decode("utf-8", errors="replace")
    return Change(
        path=delta.old_file.path if removed else delta.new_file.path,
        old_path=delta.old_file.path,
        status={"A": "added", "D": "removed", "R": "renamed"}.get(delta.status_char(), "modified"),
        blob=str(delta.old_file.id if removed else delta.new_file.id),
        additions=additions,
        deletions=deletions,
        patch=data[data.index("@@") :] if "@@" in data else "",
    )

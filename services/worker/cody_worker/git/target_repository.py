"""One target repository, in the process that is given up when it turns out hostile."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import pygit2

from cody_jobs.outcomes import RunPatch
from cody_jobs.ports.code_host import CloneSource
from cody_jobs.reports import Remaining
from cody_worker.git.choose import choose_candidates
from cody_worker.git.collect import collect, describe_changes
from cody_worker.git.commits import point_branch, write_commit
from cody_worker.git.find_remaining import find_remaining
from cody_worker.git.limits import Checkout, GitLimits
from cody_worker.git.look import Found, SearchRules, search_text
from cody_worker.git.materialise import materialise
from cody_worker.git.object_store import ObjectStore
from cody_worker.git.open_source import open_source
from cody_worker.git.patch import diff_trees
from cody_worker.git.rewrite_tree import REGULAR, rewrite_tree
from cody_worker.git.scope import Candidate, NotACandidate, Scope, ScopeRules, SkipReason
from cody_worker.git.skip_reasons import reason_by_path, text_of
from cody_worker.git.staged_files import FileStage, StagedFiles
from cody_worker.git.trees import FoundFile, check_tree_size
from cody_worker.git.work_tree import FileChange, WorkTree, WorkTreeLimits


def checkout(source: CloneSource, folder: Path, limits: GitLimits) -> "TargetRepository":
    """Bring a repository's HEAD within reach, with a scratch repository in the empty `folder`.

    Nothing is copied from a repository on this machine, and nothing in it is written to or obeyed. Raises `JobFailed`
    with one of `repository_not_found`, `repository_empty`, `repository_unreadable`, `repository_too_large`,
    `disk_full`, `code_host_unavailable`; so do the methods of what is returned.
    """
    opened = open_source(source, folder, limits)
    store = ObjectStore(opened.scratch)
    root = store.tree_of_commit(bytes.fromhex(opened.checkout.base_commit))
    check_tree_size(store, root)
    return TargetRepository(opened.scratch, store, opened.checkout, root)


class TargetRepository:
    """Reads and edits the candidates of the last `scope`, and no other path."""

    def __init__(self, scratch: pygit2.Repository, store: ObjectStore, base: Checkout, root: bytes) -> None:
        self.base = base
        self._scratch = scratch
        self._store = store
        self._base_root = root
        self._root = root
        self._candidates: dict[str, Candidate] = {}
        self._staged = StagedFiles(store, root)
        self._written: dict[str, tuple[bytes, Mapping[bytes, FoundFile]]] = {}

    def scope(self, rules: ScopeRules) -> Scope:
        """Choose the candidates, among the files as the last `collect` left them. A `match` that backtracks without
        end keeps this from returning."""
        scope = choose_candidates(self._store, self._root, rules)
        self._candidates = {candidate.path: candidate for candidate in scope.candidates}
        self._staged = StagedFiles(self._store, self._root)
        return scope

    def read(self, path: str) -> bytes:
        """The candidate's bytes as they were when it was chosen. Raises `NotACandidate`."""
        return self._store.read_blob(bytes.fromhex(self._candidate(path).blob_id))

    def stage(self, changes: Mapping[str, bytes]) -> None:
        """Keep candidates' new bytes for the next commit; their modes stay. Raises `NotACandidate`."""
        for path in changes:
            self._candidate(path)
        for path, content in changes.items():
            self._staged.replace(path.encode(), content)

    def stage_together(self, files: tuple[FileStage, ...]) -> None:
        """All of them or none: candidates that change or go, and new files. Raises `NotACandidate` for what is neither,
        `ChangedMeanwhile` where a file is not what the change was made for."""
        for file in files:
            if file.before is not None:
                self._candidate(file.path)
        self._staged.stage(files)

    def read_other(self, path: str, *, staged: bool) -> bytes | None:
        """Any file that might be sent to Claude, candidate or not; None where there is none."""
        raw = path.encode("utf-8", "surrogateescape")
        if reason_by_path(raw, REGULAR) is not None:
            return None
        content = (self._staged if staged else StagedFiles(self._store, self._root)).read(raw)
        return None if content is None or isinstance(text_of(content), SkipReason) else content

    def search(self, rules: SearchRules) -> Found:
        """As the last `collect` left the files, without what is staged."""
        return search_text(self._store, self._root, rules)

    def materialise(self, folder: str, *, base: bool, limits: WorkTreeLimits) -> WorkTree:
        """Write the files with all that is staged, or those of the base commit, into the empty `folder`."""
        root = self._base_root if base else self._staged_root()
        written = materialise(self._store, root, Path(folder), limits)
        self._written[folder] = root, {file.path: file for file in written.files}
        return written.told()

    def collect(self, folder: str, limits: WorkTreeLimits) -> tuple[FileChange, ...]:
        """Stage what differs in a work tree from what was written there. There are no candidates after that."""
        root, files = self._written[folder]
        changes = collect(self._store, files, Path(folder), limits)
        self._root = rewrite_tree(self._store, root, changes) if changes else root
        self._candidates.clear()
        self._staged = StagedFiles(self._store, self._root)
        return describe_changes(changes, files)

    def find_remaining(self, rules: ScopeRules) -> Remaining:
        """What the plan's completion query matches in the files with all that is staged."""
        return find_remaining(self._store, self._staged_root(), rules)

    def commit(self, *, branch: str, message: str, author: str, when: datetime) -> RunPatch | None:
        """One commit of all staged files on top of the base, and its patch; None when nothing differs from the base.
        The same input gives the same commit id. Raises `ValueError` when the branch's name is none of git's.
        """
        tree = self._staged_root()
        if tree == self._base_root:
            return None
        base = bytes.fromhex(self.base.base_commit)
        commit = write_commit(self._store, tree=tree, parent=base, author=author, when=when, message=message)
        point_branch(self._scratch, branch, commit)
        difference = diff_trees(self._scratch, self._base_root, tree)
        return RunPatch(
            base_commit=self.base.base_commit,
            commit=commit.hex(),
            branch=branch,
            message=message,
            patch=difference.patch,
            files_changed=difference.files_changed,
            lines_added=difference.lines_added,
            lines_removed=difference.lines_removed,
        )

    def close(self) -> None:
        self._scratch.free()

    def _staged_root(self) -> bytes:
        return self._staged.write_root()

    def _candidate(self, path: str) -> Candidate:
        candidate = self._candidates.get(path)
        if candidate is None:
            raise NotACandidate(f"{path!r} is not among the files that were chosen")
        return candidate

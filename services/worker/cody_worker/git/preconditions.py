"""Whether a plan says that a repository must be left alone."""

from cody_jobs.plan import Precondition
from cody_worker.git.object_store import ObjectStore
from cody_worker.git.scope import ScopeRules, SkipReason
from cody_worker.git.selection import compile_all, path_matcher
from cody_worker.git.skip_reasons import reason_by_path, reason_by_size, text_of
from cody_worker.git.trees import FoundFile, walk_files


def reason_to_leave_alone(store: ObjectStore, root: bytes, rules: ScopeRules) -> str | None:
    """That of the first precondition that holds. Generated files count: lock files tell what a repository uses."""
    conditions = [_Condition(precondition) for precondition in rules.plan.leave_alone]
    if not conditions:
        return None
    for file in walk_files(store, root):
        if reason_by_path(file.path, file.mode) not in {None, SkipReason.GENERATED}:
            continue
        for condition in conditions:
            condition.look_at(store, file, rules.max_file_bytes)
    return next((condition.reason for condition in conditions if condition.holds), None)


class _Condition:
    def __init__(self, precondition: Precondition) -> None:
        self.reason = precondition.reason
        self._missing = precondition.missing
        self._is_meant = path_matcher(precondition.paths)
        patterns = () if precondition.pattern is None else (precondition.pattern,)
        self._patterns = compile_all("a precondition of the plan", patterns)
        self._found = False

    @property
    def holds(self) -> bool:
        return self._found is not self._missing

    def look_at(self, store: ObjectStore, file: FoundFile, max_bytes: int) -> None:
        if self._found or not self._is_meant(file.path.decode()):
            return
        self._found = not self._patterns or self._has_match(store, file, max_bytes)

    def _has_match(self, store: ObjectStore, file: FoundFile, max_bytes: int) -> bool:
        if reason_by_size(store.size_of_blob(file.id), max_bytes=max_bytes):
            return False
        text = text_of(store.read_blob(file.id))
        return not isinstance(text, SkipReason) and any(pattern.search(text) for pattern in self._patterns)
